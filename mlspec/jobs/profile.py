"""Looks at a data file and proposes a spec for it, for `mlspec init --from`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.profile import Profile, ProfileHints, profile_sample
from mlspec.forecast.reading.csv_file import AT_END
from mlspec.forecast.reading.detect import Detected, Words, detect_layout
from mlspec.forecast.reading.dialect import PLAIN, Dialect
from mlspec.forecast.reading.evidence import guess_period_form
from mlspec.forecast.reading.table import Table, explain_errors, file_columns, read_first_rows, read_table
from mlspec.forecast.reading.times import read_times
from mlspec.forecast.reading.wide import RowNames, find_periods, melt_table
from mlspec.forecast.sample import MOST_SHOWN, take_sample
from mlspec.source_files import list_source_files, partition_values

_MOST_ROWS = 1_000_000
_MOST_VALUES = 20_000_000
_RAGGED_HINT = (
    "remove notes and totals below the table; quote values that hold the sign between fields, "
    "or name that sign with --delimiter"
)
_END_HINT = (
    "write a name in the header for each of these fields, or save the file again without empty columns behind the last"
)
_BEHIND = "stands behind the columns of periods"
_NAMED = "the values of the columns of periods; --target gives them another name"


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
            hint=_END_HINT if all(row.problem.endswith(AT_END) for row in table.ragged) else _RAGGED_HINT,
        )
    hints = ProfileHints(series=series, date_format=form, **words)
    table, detected, left_out = _as_rows(file, table, detected, hints)
    profile = profile_sample(take_sample(table, detected, layout), hints)
    if detected.dialect.layout == "wide" and not hints.target:
        profile = replace(profile, reasons={**profile.reasons, "target": _NAMED})
    return replace(profile, left_out={**profile.left_out, **dict.fromkeys(left_out, _BEHIND)})


def _as_rows(
    file: Path, table: Table, detected: Detected, hints: ProfileHints
) -> tuple[Table, Detected, tuple[str, ...]]:
    """Return a table that has a column for each period as rows, and its other columns that are left out; another table as it is."""
    header = list(table.columns)
    form = None if hints.time in header else guess_period_form(header, hints.date_format)
    if form is None:
        return table, detected, ()
    names = RowNames(hints.time or _free_name("period", header), hints.target or _free_name("value", header))
    first = next(place for place, name in enumerate(header) if read_times(pd.Series([name]), form).notna().all())
    dialect = replace(detected.dialect, date_format=form)
    periods = find_periods(header, hints.series or (), names, dialect, file=file, where="--from")
    behind = tuple(name for name in header[first:] if name not in periods)
    kept = replace(table, columns={name: column for name, column in table.columns.items() if name not in behind})
    kept = kept.take(np.arange(min(len(kept), max(_MOST_ROWS // len(periods), 1))))
    reason = f"{len(periods):,} columns are named as periods, such as '{periods[0]}'"
    return melt_table(kept, periods, names), detected.add("layout", "wide", reason), behind


def _free_name(name: str, header: Sequence[str]) -> str:
    return name if name not in header else _free_name(f"{name}_", header)


def _read_folder(folder: Path) -> Table:
    """Read all columns of a folder of Parquet files, and those that stand in the names of its partitions."""
    files = list_source_files(folder.parent, folder.name)
    if not files:
        raise DataError(f"{folder} holds no Parquet file", hint="give the path of a file, or of such a folder")
    dialect = Dialect(format="parquet")
    columns = file_columns(files[0], dialect, folder.name)
    columns += partition_values(files[0].relative_to(folder).as_posix())
    return read_table(files, columns, dialect, folder.name, folder=folder)
