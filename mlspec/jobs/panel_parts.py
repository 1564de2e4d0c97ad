"""The panel as files: one for each year that is over, and one for each month of the newest year.

Files are stored by their content. So when new periods come in, only the file of the newest month is new; the others are stored
already. A late correction makes the file of its own time new. The newest file has the role `panel`, an earlier one has its time in
the role: `panel-2023`, `panel-2024-01`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from mlspec.forecast.frame import ID, TIME
from mlspec.jobs.files import read_arrow, to_arrow, write_arrow
from mlspec.state.step import PANEL, panel_parts


def write_panel(frame: pd.DataFrame, folder: Path) -> dict[str, Path]:
    """Write a panel's frame, and return its files by role. All have the same columns and types."""
    table = to_arrow(frame)
    return {
        role: write_arrow(table.filter(pa.array(rows)), folder / f"{role}.parquet") for role, rows in _split_rows(frame)
    }


def read_panel_frame(inputs: Mapping[str, Path]) -> pd.DataFrame:
    """Return the frame that `write_panel` wrote. The panel of an older mlspec is one file."""
    tables = [read_arrow(path) for path in panel_parts(inputs).values()]
    whole = pa.concat_tables(tables).sort_by([(ID, "ascending"), (TIME, "ascending")]) if len(tables) > 1 else tables[0]
    del tables
    frame = whole.to_pandas()
    del whole
    pa.default_memory_pool().release_unused()  # Arrow keeps what it has freed, and a step needs it for other things
    return frame


def _split_rows(frame: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Yield the role and the rows of each part."""
    newest = frame[TIME].max()
    year, month = frame[TIME].dt.year, frame[TIME].dt.month
    for past in range(int(year.min()), newest.year):
        if (rows := year == past).any():
            yield f"{PANEL}-{past:04}", rows
    for past in range(1, newest.month):
        if (rows := (year == newest.year) & (month == past)).any():
            yield f"{PANEL}-{newest.year:04}-{past:02}", rows
    yield PANEL, (year == newest.year) & (month == newest.month)
