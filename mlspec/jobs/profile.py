"""Reads a data file as text and profiles it, for `mlspec init --from`."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.profile import Profile, ProfileHints, profile_frame

_MOST_ROWS = 1_000_000


def profile_file(file: Path, words: dict[str, Any], series: tuple[str, ...] | None) -> Profile:
    """Return the profile of a CSV or Parquet file. Raises DataError if it cannot be read or profiled.

    `words` are the user's own choices (time, target, frequency, horizon); `series` are the columns that name a series.
    """
    frame = _read_parquet(file) if file.suffix.lower() == ".parquet" else _read_csv(file)
    if frame.columns.has_duplicates:
        raise DataError(
            f"{file.name}: the column '{frame.columns[frame.columns.duplicated()][0]}' occurs twice",
            hint="rename one",
        )
    return profile_frame(frame, ProfileHints(series=series, **words))


def _read_csv(file: Path) -> pd.DataFrame:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened)
            header = next(reader, [])
            rows = [row for row in islice(reader, _MOST_ROWS) if row]
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name}: byte {error.start} is not UTF-8", hint="save the file as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"cannot read {file.name}: {error}", hint="a CSV file is UTF-8, separated by commas") from error
    if len(header) < 2:
        what = f"{file.name} has no header of two or more columns separated by commas"
        raise DataError(what, hint="is it separated by ; or tabs?")
    if len(set(header)) < len(header):
        raise _duplicate_column_error(file, next(name for name in header if header.count(name) > 1))
    ragged = next((number for number, row in enumerate(rows, 2) if len(row) != len(header)), None)
    if ragged:
        what = f"cannot read {file.name}: row {ragged} has {len(rows[ragged - 2])} fields, the header has {len(header)}"
        raise DataError(what, hint="quote values that hold a comma")
    return pd.DataFrame(rows, columns=header, dtype=str)


def _duplicate_column_error(file: Path, name: str) -> DataError:
    return DataError(f"{file.name}: the column '{name}' occurs twice", hint="rename one")


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(file).head(_MOST_ROWS)
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {file.name}: {error}", hint="is it a Parquet file?") from error
    return pd.DataFrame({str(name): _as_text(frame[name]) for name in frame.columns})


def _as_text(column: pd.Series) -> pd.Series:
    missing = column.isna()
    if pd.api.types.is_datetime64_any_dtype(column):
        whole = (column.dropna() == column.dropna().dt.normalize()).all()
        text = column.dt.strftime("%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%S")
    else:
        text = column.astype(str)
    return text.mask(missing, "")
