"""Fits trees by all processors, in a process that was started for it.

Threads of OpenMP do not survive a fork: a process that has used several can fork none that uses them. So the step itself uses one
thread, and a new process, no fork of it, uses several. It gets features and target in a file that has no name, so that nothing is
left behind whatever ends it, and gives back the bytes of the trees. Those are the same for any number of threads
(`forecast.estimators`). It is started first, and imports its libraries while the step writes the file.

The step writes the file part by part of its panel, and LightGBM reads it a batch of rows at a time. So neither holds all features:
the step those of a part, and LightGBM a byte for most values.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

import mlspec
from mlspec.errors import Defect, TargetError
from mlspec.forecast.estimators import Array, TreeSettings
from mlspec.forecast.training_rows import FittedTrees, load_fitted_trees
from mlspec.memory import HINT

logger = logging.getLogger(__name__)
# Rows times boosting rounds from which a process is worth its start: some seconds of one thread.
FEWEST_ROUNDS = 100_000_000
# Bytes of features from which they are worth a file for a single thread, too, which takes no longer without one.
LARGE_FEATURES = 2**28
WRITTEN_ROWS = 65_536  # at once, as they are put in order by row for it
BEGIN = b"b"  # what a process is sent when all rows are written
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

    def open_rows(self, settings: TreeSettings, rows: int, columns: int) -> StoredRows | None:
        """Return the file for the rows of a fit; None if it is not worth it, or there is no room."""
        few = rows * settings.iterations < self.fewest if self.threads > 1 else 8 * rows * columns < LARGE_FEATURES
        if few:
            return None
        stored = tempfile.TemporaryFile(prefix="mlspec-trees-")  # noqa: SIM115  (closed when the fit has begun)
        try:
            os.posix_fallocate(stored.fileno(), 0, 8 * rows * (columns + 1))
        except OSError as error:
            stored.close()
            logger.info("trees are fitted by one thread: the features cannot be stored for others: %s", error)
            return None
        job = {"rows": rows, "columns": columns, "settings": asdict(settings), "threads": self.threads}
        try:
            return StoredRows(stored, rows, columns, _start(job, stored, self.threads))
        except BaseException:
            stored.close()
            raise


@dataclass(frozen=True)
class StoredRows:
    """Features by row and then the target, in a file without a name. Implements `forecast.training_rows.TrainingRows`.

    `fit_process` fits trees to them: it imports its libraries while they are written.
    """

    stored: IO[bytes] = field(repr=False)
    rows: int
    columns: int
    fit_process: StartedFit
    is_shared = True

    def write(self, place: int, features: Array, target: Array) -> None:
        """Write rows from the row `place` on. Raises ValueError if they have other columns than those that there is room for."""
        if features.shape[1] != self.columns:
            raise ValueError(f"{features.shape[1]} features, where {self.columns} were expected")
        for start in range(0, len(target), WRITTEN_ROWS):
            block = features[start : start + WRITTEN_ROWS]
            self._write_array(block, (place + start) * self.columns)
        self._write_array(target, self.rows * self.columns + place)

    def fit(self, settings: TreeSettings) -> FittedTrees:
        """Fit trees in the other process. Raises the errors of `StartedFit.finish`."""
        return load_fitted_trees(self.start().finish(), settings.library)

    def start(self) -> StartedFit:
        """Let the other process begin, and close the file, which is that process's then."""
        self.stored.close()
        self.fit_process.begin()
        return self.fit_process

    def close(self) -> None:
        """Close the file, and end the process, if it has not ended."""
        self.stored.close()
        self.fit_process.stop()

    def _write_array(self, values: Array, position: int) -> None:
        left = np.ascontiguousarray(values, dtype="float64").reshape(-1).view("uint8").data
        position *= 8
        while left:  # Linux writes up to 2 GiB at once
            written = os.pwrite(self.stored.fileno(), left, position)
            left, position = left[written:], position + written


@dataclass(frozen=True)
class StartedFit:
    """A process that fits trees. `printed` is what it writes beside its answer."""

    process: subprocess.Popen[bytes]
    printed: IO[bytes]

    def begin(self) -> None:
        """Say that all rows are written. A process that has ended by itself is found by `finish`."""
        with suppress(BrokenPipeError):
            os.write(cast("IO[bytes]", self.process.stdin).fileno(), BEGIN)

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
