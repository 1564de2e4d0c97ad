"""What the process does that fits trees by several threads. `jobs.tree_process` starts it."""

from __future__ import annotations

import json
import mmap
import os
import threading
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlspec.forecast.estimators import BATCH_ROWS, Array, TreeSettings, build_estimator, fit_array, fit_batches
from mlspec.forecast.trees import dump_trees


def main(text: str) -> None:
    """Fit the trees of a job (JSON), once the rows are written, and write their bytes to the standard output."""
    from mlspec.jobs.tree_process import NO_MEMORY

    job: dict[str, Any] = json.loads(text)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no part of the answer
    settings = TreeSettings(**job["settings"])
    build_estimator(settings)  # imports the library while the parent writes the rows
    if not os.read(0, 1):  # the parent has ended, or has given up
        os._exit(1)
    _end_with_parent()
    try:
        rows = RowsOfFile(job["file"], job["rows"], job["columns"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the data contract reports a column without values
            if settings.library == "lightgbm":
                model = fit_batches(settings, rows, rows.read_target("float32"), threads=job["threads"])
            else:
                estimator = build_estimator(settings, threads=job["threads"])
                model = fit_array(settings, estimator, rows.map_features(), rows.read_target("float64"))
        data = dump_trees(model, settings.library)
    except MemoryError:
        os._exit(NO_MEMORY)
    with answer:
        answer.write(data)
    os._exit(0)


def _end_with_parent() -> None:
    """End as soon as the parent does: it holds the other end of the standard input."""

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@dataclass(frozen=True)
class RowsOfFile:
    """The rows that `tree_process.StoredRows` wrote. Implements `forecast.estimators.RowBatches`."""

    file: int
    rows: int
    columns: int

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.rows

    def __getitem__(self, where: int | slice) -> Array:
        """Return the features of a row, or of neighbouring rows, in memory of their own."""
        if isinstance(where, slice):
            start, stop, _ = where.indices(self.rows)
            return self._read(start * self.columns, (stop - start) * self.columns).reshape(-1, self.columns)
        return self._read(int(where) * self.columns, self.columns)

    def read_target(self, kind: str) -> npt.NDArray[np.floating[Any]]:
        """Return the target of all rows, as numbers of a kind."""
        target = np.empty(self.rows, kind)
        for start in range(0, self.rows, BATCH_ROWS):
            count = min(BATCH_ROWS, self.rows - start)
            target[start : start + count] = self._read(self.rows * self.columns + start, count)
        return target

    def map_features(self) -> Array:
        """Return the features of all rows without a copy: the file is their memory. What is written to them stays here."""
        stored = mmap.mmap(self.file, 0, access=mmap.ACCESS_COPY)
        return np.frombuffer(stored, "float64", self.rows * self.columns).reshape(self.rows, self.columns)

    def _read(self, start: int, count: int) -> Array:
        values = np.empty(count, dtype="float64")
        left, position = values.view("uint8").data, 8 * start
        while left:  # Linux reads up to 2 GiB at once
            read = os.preadv(self.file, [left], position)
            left, position = left[read:], position + read
        return values
