"""Who computes: this process, or the workers of a cluster, each with its share of the series.

Every family learns and forecasts through here, so that there is one way to compute for one machine and for many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from mlspec.forecast.frame import Panel

T = TypeVar("T")
# Periods of all series that are forecast at once: a matrix of 40 features over them takes about 1 GB.
MOST_ROWS = 3_000_000


@dataclass(frozen=True)
class TrainingPeer:
    """One of those who learn one model together: its rank, and where each of them listens (host:port), by rank."""

    rank: int = 0
    addresses: tuple[str, ...] = ("",)


class Workers(Protocol):
    """What does work on shares of a panel. `count` is the number of shares that it is dealt into."""

    count: int

    def map_shares(self, work: Callable[[Panel], T], shares: Iterable[Panel]) -> list[T]:
        """Do the work on each share by itself, and return what came of it, in order."""
        ...

    def train_together(self, work: Callable[[Panel, TrainingPeer], T], shares: Iterable[Panel]) -> list[T]:
        """Do the work on all shares at the same time, each told where the others are, and return what came of it, in order."""
        ...


class _ThisProcess:
    """This process: a panel is one share."""

    count = 1

    def map_shares(self, work: Callable[[Panel], T], shares: Iterable[Panel]) -> list[T]:
        return [work(share) for share in shares]

    def train_together(self, work: Callable[[Panel, TrainingPeer], T], shares: Iterable[Panel]) -> list[T]:
        (share,) = shares
        return [work(share, TrainingPeer())]


THIS_PROCESS: Workers = _ThisProcess()


def split_panel(panel: Panel, count: int) -> Iterator[Panel]:
    """Yield a panel in `count` shares, or as many as it has series: one series to each in turn, so that shares are alike.

    A share is cut out when it is asked for, so that whoever deals never holds them all.
    """
    ids = panel.series_lengths().index
    count = min(count, len(ids))
    for position in range(count):
        yield panel.select_series(ids[position::count])


def forecast_blocks(panel: Panel, workers: Workers) -> Iterator[Panel]:
    """Yield the shares that are forecast one by one: as many as the workers, and none of more than MOST_ROWS periods or so."""
    return split_panel(panel, max(workers.count, -(-len(panel.frame) // MOST_ROWS)))
