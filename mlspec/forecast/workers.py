"""Workers: this process, others of this machine, or those of a cluster, each with a share of the series.

Every family trains and forecasts through this interface, so that one core, one machine and a cluster run the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import pandas as pd

from mlspec.forecast.estimators import TreeSettings
from mlspec.forecast.frame import ID, TIME, Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.training_rows import TrainingRows

T = TypeVar("T")
S = TypeVar("S")
P = TypeVar("P", Panel, PartedPanel)
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
    """

    count: int
    at_once: int
    training_memory: int | None

    @property
    def most_rows(self) -> int:
        """Most rows of a share to forecast."""
        ...

    def forecast_shares(self, forecast: Callable[[S], pd.DataFrame], shares: Iterable[S]) -> list[pd.DataFrame]:
        """Run `forecast` on each share independently, and return the results in order. A share may be what reads a part."""
        ...

    def train_together(self, work: Callable[[P, TrainingPeer], T], shares: Iterable[P]) -> list[T]:
        """Run `work` on all shares at the same time, with the addresses of all workers. Return the results in order."""
        ...


class _ThisProcess:
    """Runs in this process, by one thread, with the whole panel as one share."""

    count = at_once = 1
    training_memory: int | None = None

    @property
    def most_rows(self) -> int:
        return MOST_ROWS

    def forecast_shares(self, forecast: Callable[[S], pd.DataFrame], shares: Iterable[S]) -> list[pd.DataFrame]:
        return [forecast(share) for share in shares]

    def train_together(self, work: Callable[[P, TrainingPeer], T], shares: Iterable[P]) -> list[T]:
        (share,) = shares
        return [work(share, TrainingPeer(is_here=True))]


THIS_PROCESS: Workers = _ThisProcess()


def split_panel(panel: Panel, count: int) -> Iterator[Panel]:
    """Yield `count` shares of a panel, at most one per series. The series are distributed in turn, so that shares are similar.

    Each share is created when it is needed, so that memory never holds all shares at once.
    """
    ids = panel.series_lengths.index
    count = min(count, len(ids))
    for position in range(count):
        yield panel.select_series(ids[position::count])


def forecast_blocks(panel: Panel, workers: Workers) -> Iterator[Panel]:
    """Yield the shares to forecast: one for each that is forecast at the same time, unless they are small, or more by rows."""
    at_once = min(workers.at_once, max(workers.count, len(panel.series) // FEWEST_SERIES))
    return split_panel(panel, max(at_once, -(-len(panel.frame) // workers.most_rows)))


def forecast_parts(
    panel: PartedPanel, forecast: Callable[[Panel], pd.DataFrame], workers: Workers = THIS_PROCESS
) -> pd.DataFrame:
    """Return `forecast` of all series, sorted by series and time. Each series must be forecast independently of the others.

    The parts of a stored panel are read by those that forecast them.
    """
    if isinstance(panel, Panel):
        rows = workers.forecast_shares(forecast, forecast_blocks(panel, workers))
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

    The parts of a stored panel are read by the workers. What is in memory is worked on here.
    """
    readers = panel.part_readers(begun_by)
    run = (THIS_PROCESS if isinstance(panel, Panel) else workers).forecast_shares
    rows = run(partial(_work_on_part, work), readers)
    if len(rows) == 1:
        return rows[0]
    return pd.concat(rows).sort_values(ID, kind="stable", ignore_index=True)


def _work_on_part(work: Callable[[Panel], pd.DataFrame], read: Callable[[], Panel]) -> pd.DataFrame:
    return work(read())
