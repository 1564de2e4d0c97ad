"""What the rows of a source need in memory, estimated before they are read."""

from __future__ import annotations

from pathlib import Path

from mlspec import memory
from mlspec.errors import DataError
from mlspec.forecast.series_parts import count_parts

MOST_ROWS = 100_000_000
PARTS_FACTOR = 10  # so many times as many rows are read where a part of them is in memory at once
# More does not fit into a laptop's memory. The same rows as Parquet take a tenth.
LARGEST_BYTES = 4 * 2**30
# Bytes of memory that a row, and each of its values, take at the peak of the step `check`. Measured, as a lower bound:
# benchmarks/memory.py. What an estimate misses ends in an error of its own (`jobs.memory_bound`).
ROW_BYTES, TEXT_BYTES, NUMBER_BYTES = 60, 15, 10


class RowBudget:
    """Adds up what the rows of a source need in memory, and refuses what is more than a limit. `where` is the spec's field."""

    def __init__(self, where: str, limit: memory.MemoryLimit | None, *, in_parts: bool = False) -> None:
        """`limit`: None where only the first rows are read. `in_parts`: a part of the rows is in memory at once (`count_parts`)."""
        self.where, self._limit, self._in_parts = where, limit, in_parts
        self.rows = self._bytes = 0

    @property
    def largest_bytes(self) -> int:
        """The most bytes that a source may have."""
        return LARGEST_BYTES * (PARTS_FACTOR if self._in_parts else 1)

    def add(self, file: Path, rows: int, size: int) -> None:
        """Add the rows of a file, which need `size` bytes. Raises DataError if all rows so far are too many."""
        if self._limit is None:
            return
        self.rows += rows
        self._bytes += size
        most = MOST_ROWS * (PARTS_FACTOR if self._in_parts else 1)
        if self.rows > most:
            raise DataError(
                f"{self.where}: '{file.name}' brings it to {self.rows:,} rows; at most {most:,} are read",
                hint="leave out old history, add up periods, or split the forecast in several specs",
            )
        size = self._bytes // count_parts(self.rows) if self._in_parts else self._bytes
        if size > self._limit.size:
            needed = memory.format_size(size)
            raise DataError(
                f"{self.where}: with '{file.name}' its {self.rows:,} rows need about {needed} of memory, "
                f"and a step may use {self._limit}",
                hint=f"leave out old history, or split the forecast in several specs; or {memory.HINT}",
            )

    def hold_all(self, file: Path) -> None:
        """Let all rows be in memory at once after all. Raises DataError if they are too many."""
        self._in_parts = False
        self.add(file, 0, 0)
