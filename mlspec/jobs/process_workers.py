"""Workers that are processes of this machine: each is forked for one share of the series, and forecasts it.

A forked process holds the panel already, and costs milliseconds. Series are forecast independently, so that the result is the same
to the last bit for any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from copy import copy
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import pandas as pd

from mlspec.errors import MlspecError, TargetError
from mlspec.forecast.arrow_stream import from_arrow, to_arrow
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import MOST_ROWS, S, TrainingPeer
from mlspec.jobs.isolation import ForkedWork, start_apart
from mlspec.jobs.tree_process import FEWEST_ROUNDS, TreeProcess
from mlspec.memory import HINT, free_memory, step_memory
from mlspec.processors import usable_processors

T = TypeVar("T")
# Bytes for one row of a share while it is forecast: 40 features in double precision (see `workers.MOST_ROWS`).
ROW_BYTES = 320
LEAST_ROWS = 10_000


@dataclass(frozen=True)
class ShareProcess:
    """What the process of a share works on, and the error for its end without an answer. Fewer shares have no process."""

    source: str
    lost: Callable[[str], MlspecError]
    fewest_shares: int = 2


class ProcessWorkers:
    """The processors of this machine. Implements `forecast.workers.Workers`."""

    count = 1
    reads_parts = True

    def __init__(
        self, processors: int, memory: int, fewest_rounds: int = FEWEST_ROUNDS, training_memory: int | None = None
    ) -> None:
        """`memory`: bytes that all processes together may take for their shares. `fewest_rounds`: see `TreeProcess`.

        `training_memory`: see `forecast.workers.Workers`.
        """
        self.at_once = processors
        self.training_memory = training_memory
        self._tree_process = TreeProcess(processors, fewest_rounds)
        self.share_process = ShareProcess("a share of the series", _lost)
        self.most_rows = max(LEAST_ROWS, min(MOST_ROWS, memory // (processors * ROW_BYTES)))

    def isolate(self, source: str, lost: Callable[[str], MlspecError]) -> ProcessWorkers:
        """Return the same workers, of which each share has a process of its own, also a single one (`IsolatingWorkers`)."""
        isolated = copy(self)
        isolated.share_process = ShareProcess(source, lost, fewest_shares=1)
        return isolated

    def forecast_shares(self, forecast: Callable[[S], pd.DataFrame], shares: Iterable[S]) -> list[pd.DataFrame]:
        """Run `forecast` on each share in a process of its own, and return the results in order; a single one in this process.

        Raises the MlspecError of a share, and TargetError if its process was ended.
        """
        waiting = iter(shares)
        first = list(islice(waiting, 2))
        if len(first) < self.share_process.fewest_shares:
            return [forecast(share) for share in first]
        with closing(self._results(partial(_forecast_share, forecast), chain(first, waiting))) as results:
            return [from_arrow(result) for result in results]

    def train(
        self, work: Callable[[PartedPanel, TrainingPeer], T], panel: PartedPanel, learned: pd.Index, *, alone: bool
    ) -> T:
        """Train on the whole panel. Many trees are fitted by all processors, in a process that is no fork of this one.

        A process that has used several threads of OpenMP can fork no other that uses them: that one would wait for ever.
        """
        del learned, alone  # `work` knows them, and also prepares the forecasts of the others
        peer = TrainingPeer(open_rows=self._tree_process.open_rows, run_apart=self._run_apart, is_here=True)
        return work(panel, peer)

    def _run_apart(self, work: Callable[[S], bytes], shares: Iterable[S]) -> list[bytes]:
        with closing(self._results(work, shares)) as results:
            return list(results)

    def _results(self, work: Callable[[S], bytes], shares: Iterable[S]) -> Generator[bytes, None, None]:
        """Yield what `work` makes of each share in a forked process, in order; so many at once as there are processors."""
        running, process = list[ForkedWork](), self.share_process
        try:
            for share in shares:
                if len(running) == self.at_once:
                    yield running.pop(0).finish()
                running.append(start_apart(partial(work, share), process.source, process.lost))
            while running:
                yield running.pop(0).finish()
        finally:  # a share that cannot be worked on, or a signal to this process: none is left behind
            for forked in running:
                forked.kill()


def processors_of_this_machine() -> ProcessWorkers:
    """Return the workers that this process may have: its processors, and half of the memory that is free now.

    Trees may take half of what a step may use in all, and not of what is free: the rows that they learn from depend on it.
    """
    return ProcessWorkers(usable_processors(), free_memory() // 2, training_memory=step_memory().size // 2)


def _forecast_share(forecast: Callable[[S], pd.DataFrame], share: S) -> bytes:
    return to_arrow(forecast(share))


def _lost(how: str) -> TargetError:
    return TargetError(
        f"a process that worked on a share of the series {how}",
        hint=f"SIGKILL usually means that memory ran out: {HINT}",
    )
