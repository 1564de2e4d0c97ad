"""Workers: this process, others of this machine, or those of a cluster, each with a share of the series.

Every family trains and forecasts through this interface, so that one core, one machine and a cluster run the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol, TypeVar

import pandas as pd

from mlspec.forecast.estimators import TreeSettings
from mlspec.forecast.frame import ID, TIME, Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.training_rows import TrainingRows

T = TypeVar("T")
S = TypeVar("S")
# Most rows (periods of all series) to forecast at once: a matrix of 40 features for them takes about 1 GB.
MOST_ROWS = 3_000_000
# Fewest series in a share of another process: to start one takes as long as some of the quickest forecasts.
FEWEST_SERIES = 8


# Makes the place of so many rows and columns, which another process fits trees to, by several threads. None: there is no room for
# them, or the trees are too few to be worth it.
OpenRows = Callable[[TreeSettings, int, int], TrainingRows | None]
# Runs work on what reads each part of a panel, each in a forked process, and returns the results in order.
RunApart = Callable[[Callable[[Callable[[], Panel]], bytes], Iterable[Callable[[], Panel]]], list[bytes]]


@dataclass(frozen=True)
class TrainingPeer:
    """One worker of a distributed training: its rank, and the addresses (host:port) of all workers, by rank.

    `open_rows`: None if trees are fitted in this process, by one thread. `run_apart`: None if there are no processes to be had.
    `is_here`: whether it is the process that forecasts next.
    """

    rank: int = 0
    addresses: tuple[str, ...] = ("",)
    open_rows: OpenRows | None = None
    run_apart: RunApart | None = None
    is_here: bool = False


class Workers(Protocol):
    """Runs functions on shares of a panel.

    `count` is the number of shares that trees are trained on together, and `at_once` of those that are forecast at the same time,
    each of `most_rows` rows at most. `training_memory`: bytes that a fit of trees may take for its rows; None if nothing limits it.
    `reads_parts`: whether they read the parts of a stored panel; workers elsewhere are sent what they work on.
    """

    count: int
    at_once: int
    training_memory: int | None
    reads_parts: bool

    @property
    def most_rows(self) -> int:
        """Most rows of a share to forecast."""
        ...

    def forecast_shares(self, forecast: Callable[[S], pd.DataFrame], shares: Iterable[S]) -> list[pd.DataFrame]:
        """Run `forecast` on each share independently, and return the results in order. A share may be what reads a part."""
        ...

    def train(
        self, work: Callable[[PartedPanel, TrainingPeer], T], panel: PartedPanel, learned: pd.Index, *, alone: bool
    ) -> T:
        """Run `work` on the panel, and return its result.

        Workers elsewhere run it together, each on a share of the series in `learned`, or one of them on all of them, `alone`. The
        result is that of the first.
        """
        ...


class _ThisProcess:
    """Runs in this process, by one thread, with the whole panel as one share."""

    count = at_once = 1
    training_memory: int | None = None
    reads_parts = True

    @property
    def most_rows(self) -> int:
        return MOST_ROWS

    def forecast_shares(self, forecast: Callable[[S], pd.DataFrame], shares: Iterable[S]) -> list[pd.DataFrame]:
        return [forecast(share) for share in shares]

    def train(
        self, work: Callable[[PartedPanel, TrainingPeer], T], panel: PartedPanel, learned: pd.Index, *, alone: bool
    ) -> T:
        del learned, alone  # `work` knows them, and also prepares the forecasts of the others
        return work(panel, TrainingPeer(is_here=True))


THIS_PROCESS: Workers = _ThisProcess()


def split_panel(panel: Panel, count: int) -> Iterator[Panel]:
    """Yield `count` shares of a panel, at most one per series. The series are distributed in turn, so that shares are similar.

    Each share is created when it is needed, so that memory never holds all shares at once.
    """
    ids = panel.series_lengths.index
    count = min(count, len(ids))
    for position in range(count):
        yield panel.select_series(ids[position::count])


def deal_series(panel: PartedPanel, ids: pd.Index, count: int) -> Iterator[tuple[int, Panel]]:
    """Yield the pieces of `count` shares of some series, each with the number of its share. All pieces of a share are the share.

    The series are distributed in turn, whatever the parts of the panel are. A piece is of one part, so that memory holds one part.
    """
    for read in panel.part_readers():
        part = read()
        for number in range(count):
            own = ids[number::count].intersection(part.series_lengths.index)
            if len(own):
                yield number, part.select_series(own)


def join_pieces(pieces: Sequence[Panel]) -> Panel:
    """Return a panel of the series of all pieces, each of which is in one of them."""
    if len(pieces) == 1:
        return pieces[0]
    frame, series, future = (
        pd.concat([getattr(piece, name) for piece in pieces]) for name in ("frame", "series", "future")
    )
    return Panel(
        frame.sort_values([ID, TIME], ignore_index=True), series.sort_values(ID, ignore_index=True),
        future.sort_values([ID, TIME], ignore_index=True), pieces[0].layout,
    )  # fmt: skip


def forecast_blocks(panel: Panel, workers: Workers) -> Iterator[Panel]:
    """Yield the shares to forecast: one for each that is forecast at the same time, unless they are small, or more by rows."""
    at_once = min(workers.at_once, max(workers.count, len(panel.series) // FEWEST_SERIES))
    return split_panel(panel, max(at_once, -(-len(panel.frame) // workers.most_rows)))


def forecast_parts(
    panel: PartedPanel, forecast: Callable[[Panel], pd.DataFrame], workers: Workers = THIS_PROCESS
) -> pd.DataFrame:
    """Return `forecast` of all series, sorted by series and time. Each series must be forecast independently of the others.

    The parts of a stored panel are read by those that forecast them, if they can, or one after the other by this process.
    """
    if isinstance(panel, Panel):
        rows = workers.forecast_shares(forecast, forecast_blocks(panel, workers))
    elif not workers.reads_parts:
        blocks = (forecast_blocks(read(), workers) for read in panel.part_readers())
        rows = workers.forecast_shares(forecast, chain.from_iterable(blocks))
    else:
        rows = workers.forecast_shares(partial(_forecast_part, forecast, workers.most_rows), panel.part_readers())
    return pd.concat(rows).sort_values([ID, TIME], ignore_index=True)


def _forecast_part(
    forecast: Callable[[Panel], pd.DataFrame], most_rows: int, read: Callable[[], Panel]
) -> pd.DataFrame:
    part = read()
    blocks = split_panel(part, -(-len(part.frame) // most_rows))
    return pd.concat([forecast(block) for block in blocks])


def collect_parts(
    panel: PartedPanel,
    work: Callable[[Panel], pd.DataFrame],
    workers: Workers = THIS_PROCESS,
    *,
    begun_by: pd.Timestamp | None = None,
) -> pd.DataFrame:
    """Return what `work` makes of each part that has series by then: rows by unique_id, sorted by it.

    The parts of a stored panel are read by the workers, if they can. What is in memory is worked on here.
    """
    readers = panel.part_readers(begun_by)
    elsewhere = workers if workers.reads_parts and not isinstance(panel, Panel) else THIS_PROCESS
    rows = elsewhere.forecast_shares(partial(_work_on_part, work), readers)
    if len(rows) == 1:
        return rows[0]
    return pd.concat(rows).sort_values(ID, kind="stable", ignore_index=True)


def _work_on_part(work: Callable[[Panel], pd.DataFrame], read: Callable[[], Panel]) -> pd.DataFrame:
    return work(read())
