"""What the cells of whole columns say of how numbers and dates are written, and where they allow two readings.

`1.050` beside `950` is a thousand and fifty, or one and a twentieth; `01/02/2024` is in February, or in January. What decides is
another cell; where there is none, nobody but a person knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from mlspec.forecast.reading.column import TextColumn
from mlspec.forecast.reading.form_marks import possible_forms
from mlspec.forecast.reading.numbers import NOTATIONS, is_missing, read_texts
from mlspec.forecast.reading.times import read_times

Notation = tuple[str, str | None]  # the sign before decimals, and the one between thousands
NUMERIC = 0.8  # share of the values of a column that are numbers, from which it is a column of numbers with odd cells
_MARKED = "[.,' \u00a0\u202f]"
_CODE = "^0[0-9]+[.]"
_TRIED = 30  # distinct values on which a form of dates is tried first
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_DAYS = ("%d{0}%m{0}%Y", "%m{0}%d{0}%Y", "%Y{0}%m{0}%d", "%d{0}%m{0}%y", "%m{0}%d{0}%y")
_DAYS_AFTER_WEEKDAY = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d/%m/%y", "%d de %b de %Y", "%d %b %Y", "%b %d, %Y")
DATE_FORMS: tuple[str, ...] = (
    "iso", "iso-week", "quarter",
    *(day.format(mark) + clock for mark in "/-." for day in _DAYS for clock in _CLOCKS),
    "%m/%Y", "%m-%Y", "%m.%Y", "%Y/%m", "%Y-%m", "%YM%m", "%Y-M%m", "%Y %b", "%Y-%b", "%b de %Y", "%d%b%Y", "%d%b%y",
    *(f"%b{mark}{year}" for mark in "/-. " for year in ("%Y", "%y")),
    *(f"%d{mark}%b{mark}{year}" for mark in "/-. " for year in ("%Y", "%y")), "%d de %b de %Y", "%b %d, %Y", "%d %b, %Y",
    *(f"%a{mark}{day}" for mark in (" ", ", ") for day in _DAYS_AFTER_WEEKDAY),
)  # fmt: skip
# Digits alone are a date only where a person says so, or a column is named as one.
DIGIT_FORMS = ("yyyymmdd", "yyyymm", "%Y", "excel", "epoch", "epoch-ms")
FEWEST_PERIODS = 3  # columns named as periods, from which `init` takes a table for a wide one
_LIKELY_YEARS = (1950, 2100)
_EXCEL_YEARS = (1990, 2100)  # days counted from 1970, as Python does, are none of these


@dataclass(frozen=True)
class NumberEvidence:
    """How numbers are written: the notation, a cell that shows it, and the columns whose numbers another notation reads too."""

    notation: Notation
    shown: str | None
    doubtful: Mapping[str, DoubtfulCells]


@dataclass(frozen=True)
class DoubtfulCells:
    """A column that two notations or two forms read, with different values: an example, and the other reading."""

    example: str
    other: Notation | str


def weigh_numbers(columns: Mapping[str, TextColumn], notations: Sequence[Notation] = NOTATIONS) -> NumberEvidence:
    """Return which of the notations reads the most cells of columns of numbers. Of equal ones the first counts.

    Columns of codes and of months (`01.0234`, `07.2022`) tell nothing of it, where others do.
    """
    marked = {name: _marked_texts(column) for name, column in columns.items() if _is_numeric(column, notations)}
    marked = {name: texts for name, texts in marked.items() if len(texts)}
    marked = {name: texts for name, texts in marked.items() if not _has_codes(texts)} or marked
    readings = {name: [read_texts(texts, *notation) for notation in notations] for name, texts in marked.items()}
    if not readings:
        return NumberEvidence(notations[0], None, {})
    totals = [sum(len(read) - read.null_count for read in column) for column in zip(*readings.values(), strict=True)]
    best = max(range(len(notations)), key=lambda place: totals[place])
    tied = [place for place, total in enumerate(totals) if total == totals[best]]
    doubtful = {}
    for name, reads in readings.items():
        doubt = _find_doubt(marked[name], reads, best, [(place, notations[place]) for place in tied])
        if doubt:
            doubtful[name] = doubt
    return NumberEvidence(
        notations[best], _telling_text(marked, {name: reads[best] for name, reads in readings.items()}), doubtful
    )


def _is_numeric(column: TextColumn, notations: Sequence[Notation]) -> bool:
    """Return whether most values of a column are numbers in one of the notations."""
    counts = np.where(is_missing(column.texts), 0, column.counts())
    total = counts.sum()
    if not total:
        return False
    plain = counts[read_texts(column.texts, ".", None).is_valid().to_numpy(zero_copy_only=False)].sum()
    if plain >= NUMERIC * total:
        return True
    reads = (read_texts(column.texts, *notation).is_valid().to_numpy(zero_copy_only=False) for notation in notations)
    return any(counts[read].sum() >= NUMERIC * total for read in reads)


def _marked_texts(column: TextColumn) -> pa.StringArray:
    """Return the distinct texts that hold a mark; digits alone are the same number in every notation."""
    return column.texts.filter(pc.match_substring_regex(column.texts, _MARKED))


def _has_codes(texts: pa.StringArray) -> bool:
    """Return whether a text begins with a zero before another digit, and goes on behind a point."""
    return bool(pc.any(pc.match_substring_regex(texts, _CODE)).as_py())


def _find_doubt(
    texts: pa.StringArray, reads: Sequence[pa.DoubleArray], best: int, tied: Iterable[tuple[int, Notation]]
) -> DoubtfulCells | None:
    for place, notation in tied:
        differs = pc.fill_null(pc.not_equal(reads[best], reads[place]), False)
        if pc.any(differs).as_py():
            return DoubtfulCells(texts.filter(differs)[0].as_py(), notation)
    return None


def _telling_text(marked: Mapping[str, pa.StringArray], numbers: Mapping[str, pa.DoubleArray]) -> str | None:
    """Return a cell that the notation reads and the notation of a spec that says nothing does not."""
    for name, texts in marked.items():
        telling = texts.filter(pc.and_(numbers[name].is_valid(), read_texts(texts, *NOTATIONS[0]).is_null()))
        if len(telling):
            return f"'{telling[0].as_py()}' in {name}"
    return None


@dataclass(frozen=True)
class DateEvidence:
    """How the dates of a column are written: the form, the share of cells that it reads, a telling cell, a doubt."""

    form: str
    share: float
    shown: str
    doubt: DoubtfulCells | None


def weigh_dates(column: TextColumn, forms: Sequence[str]) -> DateEvidence | None:
    """Return the form that reads the most cells of a column, if it reads most; of equal ones the first.

    Cells of a workbook that are dates already are read by every form.
    """
    dated = np.isin(column.codes, [code for code, cell in column.cells.items() if isinstance(cell, pd.Timestamp)]).sum()
    column = column.without_cells() if dated else column
    texts = pd.Series(column.texts.to_pylist(), dtype=object)
    counts = column.counts()
    filled = counts[(texts != "").to_numpy()].sum() + dated
    tried = texts[texts != ""].head(_TRIED)
    possible = possible_forms(tried, forms, max(len(tried) / 2, 1))
    likely = [form for form in possible if read_likely_times(tried, form).notna().mean() >= 0.5]
    reads = {form: read_likely_times(texts, form) for form in likely}
    scores = {form: counts[times.notna().to_numpy()].sum() for form, times in reads.items()}
    if not scores or not filled:
        return DateEvidence("iso", float(dated / filled), "", None) if dated else None
    best = max(scores, key=lambda form: scores[form])
    tied = [form for form in scores if scores[form] == scores[best] and form != best]
    shown = _telling_date(texts, reads[best], read_times(texts, _swap_days(best)))
    return DateEvidence(best, float((scores[best] + dated) / filled), shown, _date_doubt(texts, reads, best, tied))


def _telling_date(texts: pd.Series, times: pd.Series, swapped: pd.Series) -> str:
    """Return a text that shows which of its numbers is the day, or any text that is a date."""
    telling = times.notna() & swapped.isna()
    return str(texts[telling if telling.any() else times.notna()].iloc[0])


def _swap_days(form: str) -> str:
    """Return a form with day and month in the other order."""
    return form.translate({ord("d"): "m", ord("m"): "d"}) if "%d" in form and "%m" in form else form


def read_likely_times(texts: pd.Series, form: str) -> pd.Series:
    """Return the times of texts in a form; digits alone only in years of which people have data."""
    times = read_times(texts, form)
    years = _EXCEL_YEARS if form == "excel" else _LIKELY_YEARS
    return times.where(times.dt.year.between(*years)) if form in DIGIT_FORMS else times


def _date_doubt(
    texts: pd.Series, reads: Mapping[str, pd.Series], best: str, tied: Iterable[str]
) -> DoubtfulCells | None:
    for form in tied:
        differs = (reads[best] != reads[form]) & reads[best].notna()
        if differs.any():
            return DoubtfulCells(texts[differs].iloc[0], form)
    return None


def guess_period_form(header: Sequence[str], form: str | None) -> str | None:
    """Return the form in which columns are named as periods, or None if they are too few for a wide table.

    `form`: what the caller says of dates.
    """
    texts = pd.Series(header, dtype=object)
    for forms in ((form,),) if form else (DATE_FORMS, DIGIT_FORMS):
        possible = possible_forms(texts, forms, FEWEST_PERIODS)
        counts = {each: read_likely_times(texts, each).nunique() for each in possible}
        best = max(counts, key=lambda each: counts[each], default=None)
        if best is not None and counts[best] >= FEWEST_PERIODS:
            return best
    return None
