"""Workers: this process, or the workers of a cluster, each with a share of the series.

Every family trains and forecasts through this interface, so that one machine and a cluster run the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mlspec.forecast.frame import Panel

T = TypeVar("T")
# Most rows (periods of all series) to forecast at once: a matrix of 40 features for them takes about 1 GB.
MOST_ROWS = 3_000_000


@dataclass(frozen=True)
class TrainingPeer:
    """One worker of a distributed training: its rank, and the addresses (host:port) of all workers, by rank."""

    rank: int = 0
    addresses: tuple[str, ...] = ("",)


class Workers(Protocol):
    """Runs functions on shares of a panel. `count` is the number of shares."""

    count: int

    def map_shares(self, work: Callable[[Panel], T], shares: Iterable[Panel]) -> list[T]:
        """Run `work` on each share independently, and return the results in order."""
        ...

    def train_together(self, work: Callable[[Panel, TrainingPeer], T], shares: Iterable[Panel]) -> list[T]:
        """Run `work` on all shares at the same time, with the addresses of all workers. Return the results in order."""
        ...


class _ThisProcess:
    """Runs in this process, with the whole panel as one share."""

    count = 1

    def map_shares(self, work: Callable[[Panel], T], shares: Iterable[Panel]) -> list[T]:
        return [work(share) for share in shares]

    def train_together(self, work: Callable[[Panel, TrainingPeer], T], shares: Iterable[Panel]) -> list[T]:
        (share,) = shares
        return [work(share, TrainingPeer())]


THIS_PROCESS: Workers = _ThisProcess()


def split_panel(panel: Panel, count: int) -> Iterator[Panel]:
    """Yield `count` shares of a panel, at most one per series. The series are distributed in turn, so that shares are similar.

    Each share is created when it is needed, so that memory never holds all shares at once.
    """
    ids = panel.series_lengths().index
    count = min(count, len(ids))
    for position in range(count):
        yield panel.select_series(ids[position::count])


def forecast_blocks(panel: Panel, workers: Workers) -> Iterator[Panel]:
    """Yield the shares to forecast: at least one per worker, and each of about MOST_ROWS rows at most."""
    return split_panel(panel, max(workers.count, -(-len(panel.frame) // MOST_ROWS)))
