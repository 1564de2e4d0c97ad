"""Parses dates and times in one form: ISO 8601, a named form, or a strptime format. Nothing else is taken for a date."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd

from mlspec.forecast.reading.column import NO_PROBLEMS, Column, ParsedColumn, TextColumn, as_text
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.numbers import refuse_all
from mlspec.forecast.reading.odd_cells import explain_total

_CLOCK = r"[0-9]{2}(?::?[0-9]{2}(?::?[0-9]{2}(?:[.,][0-9]{1,9})?)?)?"
_UTC = r" ?UTC$"  # as BigQuery writes it
_ZONE = r"(?:Z| ?UTC|[+-][0-9]{2}(?::?[0-9]{2})?)"
_ISO = rf"[0-9]{{4}}-[0-9]{{2}}(?:-[0-9]{{2}}(?:[T ]{_CLOCK}{_ZONE}?)?)?"
_OFFSET = rf".*[T ].*{_ZONE}"
YEARS = (1700, 2200)  # years that pandas' nanoseconds can represent, with space for a horizon
# Names of months by the short English one, which a strptime format knows.
_MONTHS = {
    "jan": "january janeiro enero ene januar janvier janv",
    "feb": "february fevereiro febrero fev februar février fevrier févr fevr fév",
    "mar": "march março marco marzo märz maerz mär mrz mars", "apr": "april abril abr avril avr",
    "may": "maio mayo mai", "jun": "june junho junio juni juin", "jul": "july julho julio juli juillet juil",
    "aug": "august agosto ago août aout", "sep": "september setembro septiembre set septembre sept",
    "oct": "october outubro octubre out oktober octobre okt", "nov": "november novembro noviembre novembre",
    "dec": "december dezembro diciembre dez dic dezember décembre decembre déc",
}  # fmt: skip
_ENGLISH = {other: english for english, others in _MONTHS.items() for other in others.split()}
MONTH_WORDS = frozenset({*_MONTHS, *_ENGLISH})
_DOT_AFTER_WORD = r"(?<=[^\W\d_])\.(?![^\W_])"  # of a short form, such as jan./2024
# Weekdays in Portuguese, and long English ones. Which one it is says nothing that the date does not.
_WEEKDAYS = (
    "^(?:mon|tues|wednes|thurs|fri|satur|sun)day|^(?:segunda|ter[cç]a|quarta|quinta|sexta)(?:-feira)?"
    r"|^(?:s[aá]bado|domingo|seg|ter|qua|qui|sex|s[aá]b|dom)(?=\W)"
)
_WEEK_SIGN = "(?:W|S|KW|CW|Sem|Semana|Week)"
_WEEK = re.compile(
    rf"(?P<before>[0-9]{{4}})[-/ ]?{_WEEK_SIGN}(?P<last>[0-9]{{1,2}})"
    rf"|{_WEEK_SIGN}[ -]?(?P<first>[0-9]{{1,2}})[-/ ](?P<behind>[0-9]{{4}})",
    re.IGNORECASE,
)
_QUARTER_SIGN = "(?:Q|T|Tri|Trim|Quartal|Trimestre)[.]?"
_QUARTER = re.compile(
    rf"(?P<before>[0-9]{{4}})[-/ ]?{_QUARTER_SIGN}[ -]?(?P<last>[1-4])"
    rf"|(?:{_QUARTER_SIGN}[ -]?(?P<first>[1-4])|(?P<ordinal>[1-4])[.ºª°]?[ -]?{_QUARTER_SIGN})"
    r"(?: de )?[-/ ]?(?P<behind>[0-9]{4}|[0-9]{2})",
    re.IGNORECASE,
)
_EXCEL_DAY, _EXCEL_DAYS = pd.Timestamp("1899-12-30"), "[1-9][0-9]{4}(?:[.,][0-9]{1,12})?"  # 1927 to 2173

_WEEKDAY = ("%a", "%A")
ReadTimes = Callable[[pd.Series], pd.Series]


def parse_times(column: Column, dialect: Dialect, zone: str | None = None) -> ParsedColumn:
    """Parse a column of dates or times. Times with an offset become those of `zone`, or of UTC; a mix of both kinds is refused."""
    if isinstance(column, TextColumn):
        return _parse_texts(column, dialect.date_format, zone)
    if pd.api.types.is_datetime64_any_dtype(column):
        return _mask_outside_years(
            column.dt.tz_convert(zone or "UTC").dt.tz_localize(None) if column.dt.tz is not None else column
        )
    if dialect.date_format == "iso" or pd.api.types.is_bool_dtype(column):
        return refuse_all(column, _why_no_date(column), pd.NaT)
    return _parse_texts(as_text(column), dialect.date_format, zone)


def find_offsets(texts: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the moments (UTC) of the ISO 8601 texts that have an offset, and their offsets in minutes."""
    zoned = texts[texts.str.fullmatch(_OFFSET) & texts.str.fullmatch(_ISO)]
    moments = pd.to_datetime(
        zoned.str.replace(_UTC, "Z", regex=True), format="ISO8601", errors="coerce", utc=True
    ).dropna()
    clocks = zoned[moments.index].str.replace(rf"{_ZONE}$", "", regex=True)
    local = pd.to_datetime(clocks, format="ISO8601", errors="coerce")
    return moments, (local - moments.dt.tz_localize(None)).dt.total_seconds() / 60


def read_times(texts: pd.Series, date_format: str) -> pd.Series:
    """Return the time of each text in a form, without a zone; NaT where it is none. Texts of ISO 8601 may have an offset."""
    texts = texts.str.strip()
    times = NAMED_FORMS[date_format](texts) if date_format in NAMED_FORMS else _read_format(texts, date_format)
    return times.where(times.dt.year.between(*YEARS)).astype("datetime64[ns]")


def _parse_texts(column: TextColumn, date_format: str, zone: str | None) -> ParsedColumn:
    texts = pd.Series(column.texts.to_pylist(), dtype=object)
    times = read_times(texts, date_format)
    if zone is not None:
        times = times.where(~_has_offset(texts, date_format), _move_to_zone(times, zone))
    for code, cell in column.cells.items():  # cells of a workbook that are dates already
        if isinstance(cell, pd.Timestamp) and YEARS[0] <= cell.year <= YEARS[1]:
            times[code] = cell
    reasons = {int(code): _why_no_time(texts[code], date_format) for code in np.flatnonzero(times.isna())}
    if date_format == "iso":
        mixed = _mixed_offsets(texts, column, times)
        reasons |= dict.fromkeys(mixed, "mixes times with and without an offset")
        times[mixed] = pd.NaT
    return ParsedColumn(pd.Series(column.expand(times.to_numpy())), column.expand_reasons(reasons))


def _has_offset(texts: pd.Series, date_format: str) -> pd.Series:
    """Return which texts say how far their clock is from UTC."""
    if date_format == "iso":
        return texts.str.strip().str.fullmatch(_OFFSET)
    return pd.Series("%z" in date_format or date_format in _EPOCHS, texts.index)


def _move_to_zone(times: pd.Series, zone: str) -> pd.Series:
    return times.dt.tz_localize("UTC").dt.tz_convert(zone).dt.tz_localize(None)


def has_mixed_offsets(column: TextColumn) -> bool:
    """Return whether some texts of a column have an offset and others have none: which are wrong is seen from all rows."""
    zoned = pd.Series(column.texts.to_pylist(), dtype=object).str.strip().str.fullmatch(_OFFSET).to_numpy(dtype=bool)
    return bool(zoned.any() and not zoned.all())


def _mixed_offsets(texts: pd.Series, column: TextColumn, times: pd.Series) -> list[int]:
    """Return the texts with an offset where most rows have none, or the other way round."""
    zoned = texts.str.strip().str.fullmatch(_OFFSET).to_numpy(dtype=bool)
    if zoned.all() or not zoned.any():
        return []
    rows, good = column.counts(), times.notna().to_numpy()
    mostly_zoned = rows[zoned & good].sum() > rows[~zoned & good].sum()
    return [int(code) for code in np.flatnonzero(good & (zoned != mostly_zoned))]


def _read_iso(texts: pd.Series) -> pd.Series:
    usable = texts.where(texts.str.fullmatch(_ISO)).str.replace(_UTC, "Z", regex=True)
    times = pd.to_datetime(usable, format="ISO8601", errors="coerce", utc=True)
    return times.dt.tz_localize(None)


def _read_iso_week(texts: pd.Series) -> pd.Series:
    """Return the Monday of each ISO week. A year has 52 or 53 of them."""
    weeks = texts.map(_year_and_week)
    mondays = pd.to_datetime(weeks, format="%G-W%V-%u", errors="coerce")
    return mondays.where(mondays.dt.isocalendar()["week"].astype(str).str.zfill(2) == weeks.str[6:8])


def _read_quarter(texts: pd.Series) -> pd.Series:
    """Return the first day of each quarter: 2024Q1, 2024-Q1, Q1 2024, 1T2024, 1T24, 1º tri 2024."""
    return pd.to_datetime(texts.map(_first_month), format="%Y-%m", errors="coerce")


def _year_and_week(text: str) -> str | None:
    """Return the Monday of a week, as 2024-W05-1; None if the text is no week."""
    match = _WEEK.fullmatch(text)
    if match is None:
        return None
    year, week = match["before"] or match["behind"], match["last"] or match["first"]
    return f"{year}-W{int(week):02}-1"


def _read_excel_days(texts: pd.Series) -> pd.Series:
    """Return the time of each number of days, as Excel counts them."""
    days = pd.to_numeric(texts.where(texts.str.fullmatch(_EXCEL_DAYS)).str.replace(",", "."), errors="coerce")
    # Of an absent number pandas rounds what happens to be in memory, which can overflow with a warning.
    times = _EXCEL_DAY + pd.to_timedelta(days.fillna(0.0), unit="D")
    return times.where(days.notna()).dt.round("s")


def _first_month(text: str) -> str | None:
    """Return the first month of a quarter, as 2024-04."""
    match = _QUARTER.fullmatch(text)
    if match is None:
        return None
    year = (match["before"] or match["behind"]).rjust(4, "0")
    year = f"20{year[2:]}" if year.startswith("00") else year
    return f"{year}-{int(match['last'] or match['first'] or match['ordinal']) * 3 - 2:02}"


def _read_epoch(pattern: str, unit: Literal["s", "ms"]) -> ReadTimes:
    def read(texts: pd.Series) -> pd.Series:
        counts = pd.to_numeric(texts.where(texts.str.fullmatch(pattern)), errors="coerce")
        return pd.to_datetime(counts, unit=unit, errors="coerce")

    return read


def _read_digits(pattern: str, date_format: str) -> ReadTimes:
    def read(texts: pd.Series) -> pd.Series:
        return pd.to_datetime(texts.where(texts.str.fullmatch(pattern)), format=date_format, errors="coerce")

    return read


NAMED_FORMS: dict[str, ReadTimes] = {
    "iso": _read_iso, "iso-week": _read_iso_week, "quarter": _read_quarter,
    "yyyymm": _read_digits("[0-9]{6}", "%Y%m"), "yyyymmdd": _read_digits("[0-9]{8}", "%Y%m%d"),
    "excel": _read_excel_days, "epoch": _read_epoch("[0-9]{9,10}", "s"), "epoch-ms": _read_epoch("[0-9]{12,13}", "ms"),
}  # fmt: skip
_EPOCHS = ("epoch", "epoch-ms")  # they count from midnight of UTC
EXAMPLES = {
    "iso": "2024-02-01", "iso-week": "2024-W05", "quarter": "2024Q1", "yyyymm": "202402", "yyyymmdd": "20240201",
    "excel": "45323", "epoch": "1706745600", "epoch-ms": "1706745600000",
}  # fmt: skip


def _read_format(texts: pd.Series, date_format: str) -> pd.Series:
    if date_format.startswith(_WEEKDAY):
        date_format = f"%a{date_format[2:]}"
        texts = texts.str.lower().str.replace(_WEEKDAYS, "mon", regex=True)
    if re.search("%[bB]", date_format):
        texts = texts.str.lower().str.replace(_DOT_AFTER_WORD, "", regex=True)
        texts = texts.str.replace(r"[^\W\d_]+", _english_month, regex=True)
        date_format = _lower_words(date_format.replace("%B", "%b"))
    times = pd.to_datetime(texts, format=date_format, errors="coerce", utc=True)
    return times.dt.tz_localize(None)


def _lower_words(date_format: str) -> str:
    """Return a format with its words in lower case, and its directives as they are."""
    return re.sub("%.|[^%]+", lambda part: part[0] if part[0].startswith("%") else part[0].lower(), date_format)


def _english_month(match: re.Match[str]) -> str:
    return _ENGLISH.get(match[0], match[0])


def describe_form(date_format: str) -> str:
    """Return a form of dates as a person knows it."""
    return f"{date_format}, such as {example_of(date_format)}"


def example_of(date_format: str) -> str:
    """Return an example of a form of dates."""
    return EXAMPLES.get(date_format) or pd.Timestamp("2024-02-01").strftime(date_format)


def _why_no_time(text: str, date_format: str) -> str:
    if not text.strip():
        return "is empty"
    total = explain_total(text)
    if total is not None:
        return total
    if date_format == "iso" and re.fullmatch(_ISO, text):
        return f"is not a valid time between {YEARS[0]} and {YEARS[1]}"
    if date_format == "iso":
        return "is not a date in ISO 8601, such as 2024-02-01: dataset.source.date_format says how dates are written"
    return f"is not a date in the form {describe_form(date_format)}"


def _why_no_date(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "is true or false, not a date"
    return "is a number, not a date: dataset.source.date_format says how dates are written, such as yyyymmdd"


def _mask_outside_years(values: pd.Series) -> ParsedColumn:
    first, last = values.min(), values.max()
    if not values.hasnans and YEARS[0] <= first.year and last.year <= YEARS[1]:
        return ParsedColumn(values.astype("datetime64[ns]", copy=False), NO_PROBLEMS)
    absent = values.isna()
    outside = ~absent & ~values.dt.year.between(*YEARS)
    impossible = f"is not a valid time between {YEARS[0]} and {YEARS[1]}"
    problems = pd.concat(
        [pd.Series("is empty", index=values.index[absent]), pd.Series(impossible, index=values.index[outside])]
    ).astype(object)
    return ParsedColumn(values.mask(outside).astype("datetime64[ns]"), problems)
