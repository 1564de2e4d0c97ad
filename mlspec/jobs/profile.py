"""Looks at a data file and proposes a spec for it, for `mlspec init --from`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlspec.errors import DataError
from mlspec.forecast.profile import Profile, ProfileHints, profile_sample
from mlspec.forecast.reading.detect import Words, detect_layout
from mlspec.forecast.reading.dialect import PLAIN, Dialect
from mlspec.forecast.reading.table import Table, explain_errors, file_columns, read_first_rows, read_table
from mlspec.forecast.sample import MOST_SHOWN, take_sample
from mlspec.source_files import list_source_files, partition_values

_MOST_ROWS = 1_000_000
_MOST_VALUES = 20_000_000


def profile_file(file: Path, words: Mapping[str, Any], series: tuple[str, ...] | None, layout: Words) -> Profile:
    """Return the profile of a file. Raises DataError if it cannot be read or profiled, AmbiguousTable if it has two readings.

    The user's own choices: `words` (time, target, frequency, horizon), `series` (the columns that name a series), and `layout`
    (how the file is written, by key of `dataset.source`).
    """
    form = str(layout["date_format"]) if "date_format" in layout else None
    with explain_errors(file, PLAIN, "--from"):
        detected = detect_layout(file, layout)
    table = _read_folder(file) if file.is_dir() else read_first_rows(file, detected.dialect, _MOST_VALUES, _MOST_ROWS)
    if table.ragged:
        shown = "; ".join(
            f"row {row.row} '{row.value[:40].strip()}' {row.problem}" for row in table.ragged[:MOST_SHOWN]
        )
        raise DataError(
            f"cannot read {file.name}: {len(table.ragged):,} rows have a wrong number of fields: {shown}",
            hint="remove notes and totals below the table; quote values that hold the sign between fields, "
            "or name that sign with --delimiter",
        )
    return profile_sample(take_sample(table, detected, layout), ProfileHints(series=series, date_format=form, **words))


def _read_folder(folder: Path) -> Table:
    """Read all columns of a folder of Parquet files, and those that stand in the names of its partitions."""
    files = list_source_files(folder.parent, folder.name)
    if not files:
        raise DataError(f"{folder} holds no Parquet file", hint="give the path of a file, or of such a folder")
    dialect = Dialect(format="parquet")
    columns = file_columns(files[0], dialect, folder.name)
    columns += partition_values(files[0].relative_to(folder).as_posix())
    return read_table(files, columns, dialect, folder.name, folder=folder)
