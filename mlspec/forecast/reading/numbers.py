"""Parses numbers: a decimal mark, a mark between groups of three digits, the sign of a currency; nothing guessed.

A number below zero has its sign in front, or behind (`5-`), or stands in parentheses, as accounting programs write it.
"""

from __future__ import annotations

import re
from unicodedata import combining, normalize

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.forecast.reading.column import NO_PROBLEMS, Column, ParsedColumn, TextColumn
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.odd_cells import explain_odd_number

# Texts that mean "no value" in a column of numbers or of a covariate. They are valid names of series. `#N/D` is what a
# spreadsheet program in Portuguese or Spanish writes for `#N/A`.
MISSING = ("", "NA", "N/A", "#N/A", "#N/D", "NaN", "nan", "NULL", "null", "None", "none")
# Words for yes and no, without case and accents, in English and in Portuguese, as people and spreadsheets write them.
_FLAGS = {
    "true": 1.0, "yes": 1.0, "verdadeiro": 1.0, "sim": 1.0, "false": 0.0, "no": 0.0, "falso": 0.0, "nao": 0.0,
}  # fmt: skip
_LONGEST_FLAG = 20  # characters, also of one whose accents are characters of their own
# Larger than any demand. Below it, sums of squares are finite and a float represents every integer.
LARGEST = 1e15
# A space between digits may be one that does not break a line, as French programs write it.
_SPACES = "[ \u00a0\u202f]"
_BLANK = "[ \t\u00a0\u202f]"
_LONG_MINUS = "\u2212"
_APOSTROPHES = "['\u2019]"
_EXPONENT = "(?:[eE][+-]?[0-9]{1,3})?"
NOTATIONS: tuple[tuple[str, str | None], ...] = (
    (".", None), (".", ","), (",", None), (",", "."), (".", " "), (",", " "), (".", "'"), (",", "'"),
)  # fmt: skip


def parse_numbers(column: Column, dialect: Dialect) -> ParsedColumn:
    """Parse a column of numbers. A number is at most 1e15 in size; it may have an exponent, and spaces around it."""
    if isinstance(column, TextColumn):
        return _parse_texts(column, dialect)
    if pd.api.types.is_bool_dtype(column):
        return refuse_all(column, "is true or false, not a number")
    if pd.api.types.is_numeric_dtype(column):
        return _mask_implausible(column.astype("float64", copy=False))
    return refuse_all(column, "is a date, not a number")


def read_flag(text: str) -> float | None:
    """Return 1 for a word that says yes, 0 for one that says no, and None for any other text."""
    if len(text) > _LONGEST_FLAG:
        return None
    plain = "".join(letter for letter in normalize("NFD", text.strip().casefold()) if not combining(letter))
    return _FLAGS.get(plain)


def read_texts(
    texts: pa.StringArray, decimal: str, thousands: str | None, currency: str | None = None
) -> pa.DoubleArray:
    """Return the number of each text in a notation; null where it is none."""
    numbers = read_plain_texts(texts, decimal, thousands)
    if not numbers.null_count:
        return numbers
    refused = numbers.is_null()
    again = read_plain_texts(_rewrite_signs(texts.filter(refused), currency), decimal, thousands)
    return pc.replace_with_mask(numbers, refused, again)


def read_plain_texts(texts: pa.StringArray, decimal: str, thousands: str | None) -> pa.DoubleArray:
    """Return the number of each text that has no sign but one in front; null for the others."""
    trimmed = pc.ascii_trim_whitespace(texts)
    usable = pc.if_else(pc.match_substring_regex(trimmed, number_pattern(decimal, thousands)), trimmed, None)
    if thousands is not None:
        usable = pc.replace_substring_regex(usable, _mark_pattern(thousands), "")
    return pc.cast(pc.replace_substring(usable, decimal, ".") if decimal != "." else usable, pa.float64())


def number_pattern(decimal: str, thousands: str | None) -> str:
    """Return the pattern of a number. Digits stand in groups of three everywhere or nowhere, and no group begins with 0."""
    mark = re.escape(decimal)
    whole = "[0-9]+"
    if thousands is not None:
        whole = f"(?:[1-9][0-9]{{0,2}}(?:{_mark_pattern(thousands)}[0-9]{{3}})+|[0-9]+)"
    return f"^[+-]?(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+){_EXPONENT}$"


def _mark_pattern(thousands: str) -> str:
    return {" ": _SPACES, "'": _APOSTROPHES}.get(thousands) or re.escape(thousands)


def _rewrite_signs(texts: pa.StringArray, currency: str | None) -> pa.StringArray:
    """Return texts without the sign of the currency, and with the sign of a number below zero in front."""
    plain = pc.replace_substring(pc.utf8_trim_whitespace(texts), _LONG_MINUS, "-")
    if currency is not None:
        plain = strip_currency(plain, currency)
    plain = pc.replace_substring_regex(plain, rf"^\({_BLANK}*([^-+()]*?){_BLANK}*\)$", r"-\1")
    return pc.replace_substring_regex(plain, rf"^([^-+]*?){_BLANK}*-$", r"-\1")


def strip_currency(texts: pa.StringArray, currency: str) -> pa.StringArray:
    """Return texts without a currency in front of the digits or behind them."""
    sign = re.escape(currency)
    texts = pc.replace_substring_regex(texts, rf"^({_BLANK}*[-+(]?){_BLANK}*{sign}{_BLANK}*([-+]?)", r"\1\2")
    return pc.replace_substring_regex(texts, rf"{_BLANK}*{sign}{_BLANK}*([-)]?{_BLANK}*)$", r"\1")


def is_missing(texts: pa.StringArray) -> npt.NDArray[np.bool_]:
    """Return for each text whether it means "no value"."""
    return pc.is_in(texts, pa.array(MISSING)).to_numpy(zero_copy_only=False)


def _parse_texts(column: TextColumn, dialect: Dialect) -> ParsedColumn:
    read = read_texts(column.texts, dialect.decimal, dialect.thousands, dialect.currency)
    numbers = read.to_numpy(zero_copy_only=False).copy()
    for code, cell in column.cells.items():  # cells of a workbook that are numbers or dates already
        numbers[code] = cell if isinstance(cell, float) else np.nan
    refused = np.flatnonzero(np.isnan(numbers) & ~is_missing(column.texts))
    reasons = {int(code): _why_no_number(column.texts[int(code)].as_py(), dialect) for code in refused}
    with np.errstate(invalid="ignore"):
        wild = np.flatnonzero(np.abs(numbers) > LARGEST)
    reasons |= {int(code): _IMPLAUSIBLE for code in wild}
    numbers[wild] = np.nan
    return ParsedColumn(pd.Series(column.expand(numbers)), column.expand_reasons(reasons))


_IMPLAUSIBLE = f"is larger than {LARGEST:g}: not a plausible quantity"


def _why_no_number(text: str, dialect: Dialect) -> str:
    text = text.strip()
    if read_flag(text) is not None:
        return "is true or false, not a number"
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return "is not a finite number"
    other = next((notation for notation in NOTATIONS if re.match(number_pattern(*notation), text)), None)
    if other is not None:
        return f"is not a number{_describe_difference(other, dialect)}"
    if dialect.currency is not None:
        text = strip_currency(pa.array([text]), dialect.currency)[0].as_py()
    return explain_odd_number(text) or "is not a number"


def _describe_difference(notation: tuple[str, str | None], dialect: Dialect) -> str:
    """Return what the keys of the source would have to be for a text in another notation."""
    decimal, thousands = notation
    keys = [f'decimal: "{decimal}"'] if decimal != dialect.decimal else []
    keys += [f'thousands: "{thousands}"'] if thousands and thousands != dialect.thousands else []
    return f" as the file is read: it would be one with {', '.join(keys)} in dataset.source"


def _mask_implausible(values: pd.Series) -> ParsedColumn:
    if not (values.max() > LARGEST or values.min() < -LARGEST):
        return ParsedColumn(values, NO_PROBLEMS)
    wild = values.abs() > LARGEST
    return ParsedColumn(values.mask(wild), pd.Series(_IMPLAUSIBLE, index=values.index[wild], dtype=object))


def refuse_all(column: pd.Series, problem: str, missing: object = np.nan) -> ParsedColumn:
    """Refuse every value of a column for one reason."""
    rows = column.index[column.notna()]
    kind = "datetime64[ns]" if missing is pd.NaT else "float64"
    return ParsedColumn(
        pd.Series(missing, index=column.index, dtype=kind), pd.Series(problem, index=rows, dtype=object)
    )
