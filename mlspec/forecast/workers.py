"""Workers: this process, others of this machine, or those of a cluster, each with a share of the series.

Every family trains and forecasts through this interface, so that one core, one machine and a cluster run the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pandas as pd

from mlspec.forecast.estimators import Array, TreeSettings
from mlspec.forecast.frame import Panel

T = TypeVar("T")
# Most rows (periods of all series) to forecast at once: a matrix of 40 features for them takes about 1 GB.
MOST_ROWS = 3_000_000
# Fewest series in a share of another process: to start one takes as long as some of the quickest forecasts.
FEWEST_SERIES = 8


# Starts to fit trees to features and target by several threads, in another process, and returns what waits for their bytes. The
# arrays are not needed any more then. None: there is no room for them, or the trees are too few to be worth it.
StartFit = Callable[[TreeSettings, Array, Array], Callable[[], bytes] | None]


@dataclass(frozen=True)
class TrainingPeer:
    """One worker of a distributed training: its rank, and the addresses (host:port) of all workers, by rank.

    `start_fit`: None if trees are fitted in this process, by one thread. `is_here`: whether it is the process that forecasts next.
    """

    rank: int = 0
    addresses: tuple[str, ...] = ("",)
    start_fit: StartFit | None = None
    is_here: bool = False


class Workers(Protocol):
    """Runs functions on shares of a panel.

    `count` is the number of shares that trees are trained on together, and `at_once` of those that are forecast at the same time,
    each of `most_rows` rows at most.
    """

    count: int
    at_once: int

    @property
    def most_rows(self) -> int:
        """Most rows of a share to forecast."""
        ...

    def forecast_shares(self, forecast: Callable[[Panel], pd.DataFrame], shares: Iterable[Panel]) -> list[pd.DataFrame]:
        """Run `forecast` on each share independently, and return the results in order."""
        ...

    def train_together(self, work: Callable[[Panel, TrainingPeer], T], shares: Iterable[Panel]) -> list[T]:
        """Run `work` on all shares at the same time, with the addresses of all workers. Return the results in order."""
        ...


class _ThisProcess:
    """Runs in this process, by one thread, with the whole panel as one share."""

    count = at_once = 1

    @property
    def most_rows(self) -> int:
        return MOST_ROWS

    def forecast_shares(self, forecast: Callable[[Panel], pd.DataFrame], shares: Iterable[Panel]) -> list[pd.DataFrame]:
        return [forecast(share) for share in shares]

    def train_together(self, work: Callable[[Panel, TrainingPeer], T], shares: Iterable[Panel]) -> list[T]:
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
