"""The column of dates of an unknown table: which one it is, and what is wrong where none can be read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.reading.column import ParsedColumn, as_text
from mlspec.forecast.reading.evidence import FEWEST_PERIODS, DateEvidence
from mlspec.forecast.reading.times import describe_form, parse_times, read_times
from mlspec.forecast.sample import Sample, date_doubt, find_dates, parse_dates, refuse_swapped_days

# Names in English and in Portuguese, and of weeks in German.
_TIME_NAMES = re.compile(
    r"date|time|day|week|month|year|period|^ds$|^dt|^data|data$|^dia|_dia|semana|^m[eê]s|_m[eê]s$|per[ií]odo|compet[eê]ncia|^ano|_ano$",
    re.IGNORECASE,
)
_DATE_PARTS = re.compile(
    r"^(m[eê]s|month|mon|semana|week|woche|kw|trimestre|quarter|tri|dia|day)(_?(num|n[uú]mero|no|nr))?$", re.IGNORECASE
)
_HOUR = r"(?:[01]?[0-9]|2[0-4])(?:[.]0|(?::[0-9]{2}){1,2}(?:[.]0+)?)?"
_HOUR_NAMES = re.compile(
    r"^(hours?|hr|time|hora|hor[aá]rio|stunde|uhrzeit)([ _]?(num|n[uú]mero|no|nr|ending))?$", re.IGNORECASE
)
_WEEK_NAMES = re.compile("week|semana|woche|^kw$", re.IGNORECASE)
_DAY = r"[0-9]{1,4}[./-][0-9]{1,2}(?:[./-](?:[0-9]{1,4})?)?"
_SPAN = re.compile(rf"{_DAY}\s*(?:[-/–—]|to|at[eé]|ao?|bis)\s*{_DAY}", re.IGNORECASE)  # of days: 01.01.-07.01.2024
_MONTH_FORMS = ("%m/%Y", "%m-%Y", "%m.%Y", "%Y/%m", "%Y-%m", "yyyymm")
_SOME = 0.2  # share of cells that are dates of one form, from which a column is one of dates with odd cells
_AGREE = 0.9  # share of cells that must be dates of one form


def find_time_column(
    sample: Sample, *, named: str | None, date_format: str | None
) -> tuple[Sample, str, ParsedColumn, str]:
    """Return the sample as its dates are written, the name of their column, the dates, and why it is that column.

    Columns named as one of dates come first; digits alone are a date in such a column only. `named` and `date_format` are the
    caller's own choices. Raises DataError if no column holds dates, or one whose dates can be read in two ways.
    """
    names = [named] if named else sorted(sample.codes, key=lambda name: not _TIME_NAMES.search(name))
    for name in names:
        if pd.api.types.is_datetime64_any_dtype(sample.table.columns[name]):
            return _dated(sample, name, "iso", "a column of dates", named)
    for digits in (False, True):
        for name in names:
            if digits and not named and not _TIME_NAMES.search(name):
                continue
            evidence = find_dates(sample, name, date_format, digits=digits)
            if evidence is None or evidence.share < (_AGREE if _TIME_NAMES.search(name) or named else 1):
                continue
            if _WEEK_NAMES.search(name) and _reads_months(evidence):
                raise _week_error(name)
            doubt = date_doubt(name, evidence)
            if doubt is not None:
                raise doubt
            share = "every one" if evidence.share == 1 else f"{evidence.share:.1%}"
            form = "an ISO 8601 date" if evidence.form == "iso" else f"a date in this form, such as '{evidence.shown}'"
            return _dated(sample, name, evidence.form, f"{share} of {len(sample.codes):,} values is {form}", named)
    raise _no_dates_error(sample, [name for name in names if named or _TIME_NAMES.search(name)])


def _dated(sample: Sample, name: str, form: str, why: str, named: str | None) -> tuple[Sample, str, ParsedColumn, str]:
    refuse_swapped_days(sample, name, form)
    sample, dates = parse_dates(sample, name, form, f"{name}: {why}")
    return sample, name, dates, f"named by the caller; {why}" if named else why


def refuse_split_dates(sample: Sample, keys: pd.DataFrame, time: str) -> None:
    """Raise DataError if the dates are years, and a column beside them says which month, week or day of the year is meant."""
    if sample.dialect.date_format != "%Y":
        return
    _refuse_bare_months(sample)
    part = next((name for name in keys if name != time and _DATE_PARTS.search(name) and keys[name].nunique() > 1), None)
    if part is not None:
        raise DataError(
            f"the dates stand in several columns, '{time}' and '{part}'",
            hint="add one column with whole dates, such as 2024-02-01 or 2024-02, and name it with --time",
        )


def _refuse_bare_months(sample: Sample) -> None:
    """Raise DataError if columns are named as months without a year."""
    months = [
        name for name in sample.codes if read_times(pd.Series([f"{name} 2024"], dtype=object), "%b %Y").notna()[0]
    ]
    if len(months) >= FEWEST_PERIODS:
        raise DataError(
            f"the columns {', '.join(months[:3])} … are named as months without a year",
            hint=f"write the year into each name, such as {months[0]}/2024: a table with one column for each month is read then",
        )


def refuse_split_hours(sample: Sample, moments: pd.Series, time: str) -> None:
    """Raise DataError if the dates are days, and a column beside them says which hour is meant."""
    if (moments != moments.dt.normalize()).any() or not moments.duplicated().any():
        return
    names = [name for name in sample.codes if name != time and _HOUR_NAMES.search(name)]
    part = next((name for name in names if _holds_hours(sample, name)), None)
    if part is not None:
        raise DataError(
            f"the times stand in several columns, '{time}' and '{part}'",
            hint="add one column with whole times, such as 2024-02-01 13:00, and name it with --time; "
            "or add up the hours of a day: --frequency D --series ''",
        )


def _holds_hours(sample: Sample, name: str) -> bool:
    """Return whether a column holds several hours of a day: 0 to 24, or clock times."""
    texts = pd.Series(as_text(sample.table.columns[name]).texts.to_pylist(), dtype=object)
    texts = texts[texts != ""]
    return len(texts) > 1 and bool(texts.str.fullmatch(_HOUR).all())


def _reads_months(evidence: DateEvidence) -> bool:
    """Return whether a form reads a year and another number, which may be a month or a week."""
    return evidence.form in _MONTH_FORMS or (evidence.form == "iso" and len(evidence.shown.strip()) == len("2024-02"))


def _week_error(name: str) -> DataError:
    return DataError(
        f"the column '{name}' holds no dates: the number of a week may be counted in several ways",
        hint="write the week as 2024-W05 (ISO 8601), or its first day",
    )


def _describe_mixed_dates(sample: Sample, name: str) -> DataError | None:
    """Return the error for a column of which a part is dates, or None."""
    evidence = find_dates(sample, name, None, digits=False)
    if evidence is None or evidence.share < _SOME:
        return None
    dates = parse_times(sample.table.columns[name], replace(sample.dialect, date_format=evidence.form))
    cell = sample.bad_cells(name, dates)[0]
    return DataError(
        f"{evidence.share:.0%} of the cells of '{name}' are dates in the form {describe_form(evidence.form)}, "
        f"and others are not: row {cell.row}: '{cell.value[:80]}'",
        hint="write all dates of the column in one form",
    )


def _no_dates_error(sample: Sample, names: Sequence[str]) -> DataError:
    mixed = next(filter(None, (_describe_mixed_dates(sample, name) for name in names)), None)
    if mixed is not None:
        return mixed
    first = np.zeros(1, dtype="int64")
    _refuse_bare_months(sample)
    tried = [f"{name} ('{sample.table.cell_texts(name, first)[0]}')" for name in names]
    week = next((name for name in names if _WEEK_NAMES.search(name)), None)
    if week is not None:
        return _week_error(week)
    formula = next((name for name in names if sample.table.cell_texts(name, first)[0].startswith('="')), None)
    if formula is not None:
        return DataError(
            f"the cells of {formula} are formulas, such as {sample.table.cell_texts(formula, first)[0]}, and no dates",
            hint='open the file in a spreadsheet program and save it as CSV again, or remove =" and " from its cells',
        )
    span = next((name for name in names if _SPAN.fullmatch(sample.table.cell_texts(name, first)[0].strip())), None)
    if span is not None:
        return DataError(
            f"'{span}' holds spans of days, such as '{sample.table.cell_texts(span, first)[0]}', and no dates",
            hint="keep the first day of each span in the column",
        )
    return DataError(
        f"no column holds dates{': tried ' + ', '.join(tried) if tried else ''}",
        hint="name the column with --time, how its dates are written with --date-format, such as '%d/%m/%Y', "
        "or the row that holds the columns' names with --header-row",
    )
