"""What the rows of a source need in memory, estimated before they are read."""

from __future__ import annotations

from pathlib import Path

from mlspec import memory
from mlspec.errors import DataError

MOST_ROWS = 100_000_000
# More does not fit into a laptop's memory. The same rows as Parquet take a tenth.
LARGEST_BYTES = 4 * 2**30
# Bytes of memory that a row, and each of its values, take at the peak of the step `check`. Measured, as a lower bound:
# benchmarks/memory.py. What an estimate misses ends in an error of its own (`jobs.memory_bound`).
ROW_BYTES, TEXT_BYTES, NUMBER_BYTES = 60, 15, 10


class RowBudget:
    """Adds up what the rows of a source need in memory, and refuses what is more than a limit. `where` is the spec's field."""

    def __init__(self, where: str, limit: memory.MemoryLimit | None) -> None:
        """`limit`: None where only the first rows are read."""
        self.where, self._limit = where, limit
        self._rows = self._bytes = 0

    def add(self, file: Path, rows: int, size: int) -> None:
        """Add the rows of a file, which need `size` bytes. Raises DataError if all rows so far are too many."""
        if self._limit is None:
            return
        self._rows += rows
        self._bytes += size
        if self._rows > MOST_ROWS:
            raise DataError(
                f"{self.where}: '{file.name}' brings it to {self._rows:,} rows; at most {MOST_ROWS:,} are read",
                hint="leave out old history, add up periods, or split the forecast in several specs",
            )
        if self._bytes > self._limit.size:
            needed = memory.format_size(self._bytes)
            raise DataError(
                f"{self.where}: with '{file.name}' its {self._rows:,} rows need about {needed} of memory, "
                f"and a step may use {self._limit}",
                hint=f"leave out old history, or split the forecast in several specs; or {memory.HINT}",
            )
