"""Fits trees by all processors, in a process that was started for it.

Threads of OpenMP do not survive a fork: a process that has used several can fork none that uses them. So the step itself uses one
thread, and a new process, no fork of it, uses several. It gets features and target in a file that has no name, so that nothing is
left behind whatever ends it, and gives back the bytes of the trees. Those are the same for any number of threads
(`forecast.estimators`).
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

import mlspec
from mlspec.errors import Defect, TargetError
from mlspec.forecast.estimators import Array, TreeSettings
from mlspec.memory import HINT

logger = logging.getLogger(__name__)
# Rows times boosting rounds from which a process is worth its start: some seconds of one thread.
FEWEST_ROUNDS = 100_000_000
NO_MEMORY = 3  # exit code of a process without enough memory
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from mlspec.jobs import tree_worker; tree_worker.main(sys.argv[2])"
)


@dataclass(frozen=True)
class TreeProcess:
    """Starts fits by `threads`; of fewer than `fewest` rows times boosting rounds, none."""

    threads: int
    fewest: int = FEWEST_ROUNDS

    def start(self, settings: TreeSettings, features: Array, target: Array) -> Callable[[], bytes] | None:
        """Start to fit, and return what waits for the bytes of the trees; None if it is not worth it, or there is no room."""
        if self.threads < 2 or len(target) * settings.iterations < self.fewest:
            return None
        with tempfile.TemporaryFile(prefix="mlspec-trees-") as stored:
            try:
                job = _store(features, target, stored) | {"settings": asdict(settings), "threads": self.threads}
            except OSError as error:
                logger.info("trees are fitted by one thread: the features cannot be stored for others: %s", error)
                return None
            return _start(job, stored, self.threads).finish


@dataclass(frozen=True)
class StartedFit:
    """A process that fits trees. `printed` is what it writes beside its answer."""

    process: subprocess.Popen[bytes]
    printed: IO[bytes]

    def finish(self) -> bytes:
        """Wait for the trees. Raises MemoryError, TargetError if the process was ended, or Defect if it failed."""
        try:
            trees = cast("IO[bytes]", self.process.stdout).read()
            status = self.process.wait()
            self.printed.seek(0)
            text = self.printed.read().decode(errors="replace")
        finally:
            self.stop()
        if status == 0:
            return trees
        if status == NO_MEMORY:
            raise MemoryError
        if status < 0:
            raise TargetError(
                f"the process that trained trees was ended by {signal.Signals(-status).name}",
                hint=f"SIGKILL usually means that memory ran out: {HINT}",
            )
        logger.debug("the process that trained trees printed %s", text)
        last = next((line for line in reversed(text.splitlines()) if line.strip()), f"exit code {status}")
        raise Defect(f"trees cannot be trained: {last}", hint="report it with `--log-level debug` and what that prints")

    def stop(self) -> None:
        """End the process, if it has not ended."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.printed):
            cast("IO[bytes]", stream).close()


def _store(features: Array, target: Array, stored: IO[bytes]) -> dict[str, Any]:
    """Write both arrays as they lie in memory, and return how to read them."""
    by_column = features.flags.f_contiguous
    np.ascontiguousarray(features.T if by_column else features).tofile(stored)
    np.ascontiguousarray(target).tofile(stored)
    stored.flush()
    return {
        "rows": features.shape[0], "columns": features.shape[1], "by_column": by_column,
        "types": [features.dtype.str, target.dtype.str],
    }  # fmt: skip


def _start(job: dict[str, Any], stored: IO[bytes], threads: int) -> StartedFit:
    path = [str(Path(mlspec.__file__).parents[1]), *(str(Path(entry).absolute()) for entry in sys.path if entry)]
    # A thread that waits for others sleeps: on a machine with other work, one that spins takes what the others wait for.
    threading = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_NUM_THREADS": "1"}
    number, printed = stored.fileno(), tempfile.TemporaryFile()  # noqa: SIM115  (closed when the answer is there)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE, json.dumps(path), json.dumps(job | {"file": number})],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed, pass_fds=[number], env=os.environ | threading,
    )  # fmt: skip
    return StartedFit(process, printed)
