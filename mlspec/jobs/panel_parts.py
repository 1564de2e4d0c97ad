"""The panel as files: in parts by series, and each of them by time.

Files are stored by their content. So when new periods come in, only the files of the newest month are new; the others are stored
already. A late correction makes the file of its own time new.

A panel of up to PART_ROWS rows is one part, with a file for each year that is over and one for each month of the newest year. The
newest file has the role `panel`, an earlier one has its time in the role: `panel-2023`, `panel-2024-01`.

A larger panel has 2, 4, 8 … parts, so many that one of them has about PART_ROWS rows. A digest of its name says to which part
a series belongs. So series stay where they are as the panel grows, until it has twice as many rows: then each part becomes two, and
all files are new once. Each part has three files, as a file for each month would make too many: the years that are over
(`panel-s01-older`), the newest year's months that are over (`panel-s01-year`), and the newest month (`panel-s01`). Parts without
a series have no file, and the others are numbered without a gap; the first has no number, so that `panel` is always there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from mlspec.forecast.frame import ID, TIME
from mlspec.forecast.series_parts import count_parts, place_series
from mlspec.jobs.files import count_rows, read_arrow, to_arrow, write_arrow
from mlspec.state.step import PANEL, panel_parts, panel_series_parts


@dataclass(frozen=True)
class PanelPart:
    """All periods of some series of the panel, which no other part has. `paths` are its files, in the order of time."""

    paths: tuple[Path, ...]

    def count_rows(self) -> int:
        """Return the number of rows, which the files say without being read."""
        return sum(count_rows(path) for path in self.paths)

    def read(self) -> pd.DataFrame:
        """Return the part's frame, sorted by series and time."""
        return _read_frame(self.paths)


def series_parts(inputs: Mapping[str, Path]) -> tuple[PanelPart, ...]:
    """Return the parts of the panel, among a step's inputs: each has all periods of some series. Small panels are one part."""
    return tuple(PanelPart(tuple(part.values())) for part in panel_series_parts(inputs))


def read_panel_frame(inputs: Mapping[str, Path]) -> pd.DataFrame:
    """Return the whole frame that was written, sorted by series and time. The panel of an older mlspec is one file."""
    return _read_frame(tuple(panel_parts(inputs).values()))


def _read_frame(paths: tuple[Path, ...]) -> pd.DataFrame:
    tables = [read_arrow(path) for path in paths]
    whole = pa.concat_tables(tables).sort_by([(ID, "ascending"), (TIME, "ascending")]) if len(tables) > 1 else tables[0]
    del tables
    frame = whole.to_pandas()
    del whole
    pa.default_memory_pool().release_unused()  # Arrow keeps what it has freed, and a step needs it for other things
    return frame


def write_panel(frame: pd.DataFrame, folder: Path) -> dict[str, Path]:
    """Write a panel's frame, and return its files by role. All have the same columns and types."""
    writer = PanelWriter(None)
    writer.add_part(frame)
    return writer.write(folder)


class PanelWriter:
    """Takes a panel in any parts by series, and writes it in the parts in which one of its size is kept."""

    def __init__(self, folder: Path | None) -> None:
        """`folder`: where a part is put away until all are known; without one it stays in memory."""
        self._folder = folder
        self._taken: list[_TakenPart] = []

    def add_part(self, frame: pd.DataFrame) -> None:
        """Take all rows of some series, sorted by series and time."""
        codes, names = pd.factorize(frame[ID])
        content = self._keep(to_arrow(frame), len(self._taken))
        self._taken.append(_TakenPart(pd.Index(names), np.bincount(codes, minlength=len(names)), content))

    def __len__(self) -> int:
        """Return how many parts were taken."""
        return len(self._taken)

    def read_part(self, number: int) -> pd.DataFrame:
        """Return the rows of a part as they were taken."""
        return self._taken[number].read().to_pandas()

    def replace_part(self, number: int, frame: pd.DataFrame) -> None:
        """Take other values for the same rows of a part."""
        self._taken[number] = replace(self._taken[number], content=self._keep(to_arrow(frame), number))

    def _keep(self, table: pa.Table, number: int) -> pa.Table | Path:
        return table if self._folder is None else _put_away(table, self._folder / f"{number:04}.arrow")

    def write(self, folder: Path) -> dict[str, Path]:
        """Write the panel, and return its files by role."""
        parts = count_parts(sum(int(part.counts.sum()) for part in self._taken))
        places = [place_series(part.names, parts) for part in self._taken]
        files: dict[str, Path] = {}
        for number, place in enumerate(np.unique(np.concatenate(places))):
            tables = [part.select(own == place) for part, own in zip(self._taken, places, strict=True)]
            whole = _join_tables([table for table in tables if table is not None])
            files |= _write_part(whole, folder, None if parts == 1 else number)
        return files


@dataclass(frozen=True)
class _TakenPart:
    """Rows of some series, in their order: the number of rows of each, and all of them or the file that they are in."""

    names: pd.Index
    counts: npt.NDArray[np.int64]
    content: pa.Table | Path

    def select(self, wanted: npt.NDArray[np.bool_]) -> pa.Table | None:
        """Return the rows of the series that are wanted; None without one."""
        if not wanted.any():
            return None
        table = self.read()
        return table if wanted.all() else table.filter(pa.array(wanted.repeat(self.counts)))

    def read(self) -> pa.Table:
        """Return all of its rows."""
        if not isinstance(self.content, Path):
            return self.content
        with pa.memory_map(str(self.content)) as source:
            return pa.ipc.open_file(source).read_all()


def _put_away(table: pa.Table, path: Path) -> Path:
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(str(path), table.schema, options=options) as file:
        file.write_table(table)
    return path


def _join_tables(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of several tables in one, sorted by series and time, as each of them is."""
    if len(tables) == 1:
        return tables[0]
    return pa.concat_tables(tables, promote_options="default").sort_by([(ID, "ascending"), (TIME, "ascending")])


def _write_part(table: pa.Table, folder: Path, number: int | None) -> dict[str, Path]:
    """Write a part of a panel, and return its files by role. `number` counts those with a series; None for the only part."""
    times = table.column(TIME).to_pandas()
    if number is None:
        return _write_files(table, folder, PANEL, _split_months(times))
    types = pa.schema([field.with_type(_shared_type(field.type)) for field in table.schema])
    stem = PANEL if number == 0 else f"{PANEL}-s{number:02}"
    return _write_files(table.cast(types), folder, stem, _split_newest(times))


def _write_files(table: pa.Table, folder: Path, stem: str, times: Iterator[tuple[str, pd.Series]]) -> dict[str, Path]:
    files = {}
    for time, rows in times:
        role = f"{stem}-{time}" if time else stem
        files[role] = write_arrow(table.filter(pa.array(rows)), folder / f"{role}.parquet")
    return files


def _shared_type(kind: pa.DataType) -> pa.DataType:
    """Return the type that a column has in all parts: what is missing in all rows of one may be text in another."""
    return pa.string() if pa.types.is_null(kind) else kind


def _split_months(times: pd.Series) -> Iterator[tuple[str, pd.Series]]:
    """Yield the time and the rows of each file: each year that is over, each month of the newest year, and the newest month."""
    newest = times.max()
    year, month = times.dt.year, times.dt.month
    for past in range(int(year.min()), newest.year):
        if (rows := year == past).any():
            yield f"{past:04}", rows
    for past in range(1, newest.month):
        if (rows := (year == newest.year) & (month == past)).any():
            yield f"{newest.year:04}-{past:02}", rows
    yield "", (year == newest.year) & (month == newest.month)


def _split_newest(times: pd.Series) -> Iterator[tuple[str, pd.Series]]:
    """Yield the time and the rows of each file: the years that are over, the newest year's months, and the newest month."""
    newest = times.max()
    is_older = times.dt.year < newest.year
    is_newest = ~is_older & (times.dt.month == newest.month)
    for time, rows in (("older", is_older), ("year", ~is_older & ~is_newest), ("", is_newest)):
        if rows.any():
            yield time, rows
