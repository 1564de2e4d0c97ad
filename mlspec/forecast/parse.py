"""Parses text of data files strictly: numbers, ISO 8601 times, names, flags. An invalid value is reported, never guessed.

Each parser takes one column. It returns the values, and the problem of each refused row by row label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

# Texts that mean "no value" in a target or covariate column. They are valid names of series.
MISSING = frozenset({"", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "none"})
FLAGS = {"true": 1.0, "false": 0.0}
# Larger than any demand. Below it, sums of squares are finite and a float represents every integer.
LARGEST = 1e15
_NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_ISO = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_OFFSET = r".*[T ].*(?:Z|[+-][0-9]{2}:[0-9]{2})"
_YEARS = (1700, 2200)  # years that pandas' nanoseconds can represent, with space for a horizon


@dataclass(frozen=True)
class ParsedColumn:
    """Values of one column, and `problems` by row label. The value of a refused row is missing."""

    values: pd.Series
    problems: pd.Series


def parse_numbers(column: pd.Series) -> ParsedColumn:
    """Parse a column of numbers in JSON's notation (also with a leading + or .), at most 1e15 in size."""
    if pd.api.types.is_bool_dtype(column):
        return _refuse_all(column, "is true or false, not a number")
    if pd.api.types.is_numeric_dtype(column):
        return _mask_implausible(column.astype("float64"))
    text = _as_text(column)
    missing = text.isin(MISSING)
    number = text.str.fullmatch(_NUMBER)
    values = pd.Series(np.nan, index=column.index)
    values[number] = text[number].astype("float64")
    problems = text[~number & ~missing].map(_why_no_number)
    parsed = _mask_implausible(values)
    return ParsedColumn(parsed.values, pd.concat([problems, parsed.problems]))


def _why_no_number(text: str) -> str:
    if text.lower() in FLAGS:
        return "is true or false, not a number"
    if "," in text:
        return "is not a number: write 1500.5, without a comma"
    if text.strip().lower().lstrip("+-") in ("inf", "infinity"):
        return "is not a finite number"
    return "is not a number"


def _mask_implausible(values: pd.Series) -> ParsedColumn:
    wild = values.abs() > LARGEST
    return ParsedColumn(
        values.mask(wild), pd.Series(f"is larger than {LARGEST:g}: not a plausible quantity", index=values.index[wild])
    )


def parse_times(column: pd.Series) -> ParsedColumn:
    """Parse a column of dates or times in ISO 8601. Times with an offset become UTC; a mix of both kinds is refused."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return _mask_outside_years(
            column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        )
    if pd.api.types.is_numeric_dtype(column):
        return _refuse_all(column, "is a number, not a date", pd.NaT)
    text = _as_text(column)
    iso, zoned = text.str.fullmatch(_ISO), text.str.fullmatch(_OFFSET)
    mixed = iso & (zoned != bool(zoned[iso].mean() > 0.5))
    usable = text[iso & ~mixed]
    parsed_times = pd.to_datetime(usable, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
    unreal = parsed_times.index[parsed_times.isna()]
    parsed = _mask_outside_years(parsed_times.dropna().reindex(text.index))
    problems = [
        text[~iso].map(_why_no_time),
        pd.Series("mixes times with and without an offset", index=text.index[mixed]),
        pd.Series(f"is not a valid time between {_YEARS[0]} and {_YEARS[1]}", index=unreal),
    ]
    return ParsedColumn(
        parsed.values, pd.concat([*problems, parsed.problems[~parsed.problems.index.isin(pd.concat(problems).index)]])
    )


def _why_no_time(text: str) -> str:
    if not text:
        return "is empty"
    if "/" in text or "." in text:
        return "is not ISO 8601: day and month are ambiguous; write 2024-02-01"
    return "is not ISO 8601: write 2024-02-01 or 2024-02-01T13:00:00Z"


def _mask_outside_years(values: pd.Series) -> ParsedColumn:
    outside = values.notna() & ~values.dt.year.between(*_YEARS)
    problems = pd.Series("is empty", index=values.index[values.isna()])
    impossible = pd.Series(f"is not a valid time between {_YEARS[0]} and {_YEARS[1]}", index=values.index[outside])
    return ParsedColumn(values.mask(outside).astype("datetime64[ns]"), pd.concat([problems, impossible]))


def parse_names(column: pd.Series) -> ParsedColumn:
    """Parse a column of identifiers: the unchanged text (`001`, `NA`); only an empty one is refused."""
    text = _as_text(column)
    empty = text == ""
    return ParsedColumn(text, pd.Series("is empty, but must name a series", index=text.index[empty]))


CovariateKind = Literal["number", "flag", "category"]


def covariate_kind(column: pd.Series) -> CovariateKind:
    """Return a covariate's kind: the kind of most distinct values, so that one wrong value changes nothing."""
    if pd.api.types.is_bool_dtype(column):
        return "flag"
    if pd.api.types.is_numeric_dtype(column):
        return "number"
    distinct = pd.Series(_as_text(column).unique(), dtype=object)
    distinct = distinct[~distinct.isin(MISSING)]
    if distinct.empty or distinct.str.fullmatch(_NUMBER).mean() > 0.5:
        return "number"
    return "flag" if distinct.str.lower().isin(FLAGS).mean() > 0.5 else "category"


def parse_covariate(column: pd.Series, kind: CovariateKind) -> ParsedColumn:
    """Parse a covariate of a kind. A flag becomes 1 or 0; a category stays text, its missing values None."""
    if kind == "number":
        return parse_numbers(column)
    text = _as_text(column)
    missing = text.isin(MISSING)
    if kind == "category":
        return ParsedColumn(text.where(~missing, None), pd.Series(dtype=object))
    values = text.str.lower().map(FLAGS).astype("float64")
    invalid = text.index[values.isna() & ~missing]
    return ParsedColumn(values, pd.Series("is neither TRUE nor FALSE, unlike the rest of the column", index=invalid))


def _as_text(column: pd.Series) -> pd.Series:
    """Return a column as text; a missing value of a Parquet file becomes empty text."""
    if column.dtype != object:
        whole = pd.api.types.is_float_dtype(column) and bool((column.dropna() % 1 == 0).all())
        column = column.astype("Int64") if whole else column
    return column.astype(object).where(column.notna(), "").map(str)


def _refuse_all(column: pd.Series, problem: str, missing: object = np.nan) -> ParsedColumn:
    rows = column.index[column.notna()]
    kind = "datetime64[ns]" if missing is pd.NaT else "float64"
    return ParsedColumn(pd.Series(missing, index=column.index, dtype=kind), pd.Series(problem, index=rows))
