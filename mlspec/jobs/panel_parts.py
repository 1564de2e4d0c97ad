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

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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
    parts = count_parts(len(frame))
    if parts == 1:
        return _write_files(to_arrow(frame), folder, PANEL, _split_months(frame[TIME]))
    codes, names = pd.factorize(frame[ID])
    places = place_series(pd.Index(names), parts)
    files: dict[str, Path] = {}
    for number, place in enumerate(np.unique(places)):
        files |= write_panel_part(frame[(places == place)[codes]], folder, number)
    return files


def write_panel_part(frame: pd.DataFrame, folder: Path, number: int) -> dict[str, Path]:
    """Write one of several parts of a panel, and return its files by role. `number` counts those with a series, from 0."""
    stem = PANEL if number == 0 else f"{PANEL}-s{number:02}"
    table = to_arrow(frame)
    types = pa.schema([field.with_type(_shared_type(field.type)) for field in table.schema])
    return _write_files(table.cast(types), folder, stem, _split_newest(frame[TIME]))


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
