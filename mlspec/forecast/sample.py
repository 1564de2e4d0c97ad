"""The rows of an unknown file, for `mlspec init`: how its numbers and dates are written, and which columns hold numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import pyarrow as pa

from mlspec.errors import DataError
from mlspec.forecast.reading.column import BadRow, ParsedColumn, TextColumn, as_text
from mlspec.forecast.reading.detect import Detected, Words
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.evidence import (
    DATE_FORMS,
    DIGIT_FORMS,
    NUMERIC,
    DateEvidence,
    DoubtfulCells,
    NumberEvidence,
    weigh_dates,
    weigh_numbers,
)
from mlspec.forecast.reading.numbers import NOTATIONS, is_missing, parse_numbers, strip_currency
from mlspec.forecast.reading.odd_cells import find_currency
from mlspec.forecast.reading.table import Table
from mlspec.forecast.reading.times import parse_times

MOST_SHOWN = 3  # cells that are named
_MONTHS = 12
_CURRENCY_SHARE = 0.5  # of the cells of a column, from which it is one of amounts of money


class AmbiguousTable(DataError):
    """A file has two readings, and a person has to say which: by one of `choices` (a value, and what it means) of `option`."""

    def __init__(self, message: str, option: str, choices: Sequence[tuple[str, str]]) -> None:
        words = " or ".join(f"--{option.replace('_', '-')} '{value}' ({meaning})" for value, meaning in choices)
        super().__init__(message, hint=f"say which: {words}")
        self.option, self.choices = option, tuple(choices)


@dataclass(frozen=True)
class Sample:
    """Rows of a file. `codes` has a number for each text, equal for equal texts; `numbers` are the columns that hold numbers."""

    table: Table
    detected: Detected
    evidence: NumberEvidence
    codes: pd.DataFrame
    missing: Mapping[str, float]
    numbers: Mapping[str, ParsedColumn] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        """How the file is written, as far as it is known."""
        return self.detected.dialect

    @property
    def figures(self) -> dict[str, pd.Series]:
        """The values of the columns that hold numbers; missing values are NaN."""
        return {name: column.values for name, column in self.numbers.items()}

    def bad_cells(self, name: str, parsed: ParsedColumn) -> list[BadRow]:
        """Return the cells of a column that cannot be read."""
        rows = parsed.problems.index.to_numpy()
        origin, values = self.table.origin.iloc[rows], self.table.cell_texts(name, rows)
        columns = self.table.file_columns(name, rows)
        return [
            BadRow(str(file), int(row), column, value, problem)
            for file, row, column, value, problem in zip(
                origin["file"], origin["row"], columns, values, parsed.problems, strict=True
            )
        ]

    def missing_among(self, name: str, rows: pd.Index) -> float:
        """Return the share of some rows in which a column has no value."""
        return float(self.empty_rows(name)[rows].mean()) if len(rows) else 0.0

    def empty_rows(self, name: str) -> pd.Series:
        """Return for each row whether a column has no value."""
        column = as_text(self.table.columns[name])
        return pd.Series(column.expand(is_missing(column.texts)))

    def refuse_doubt(self, names: Sequence[str]) -> None:
        """Raise AmbiguousTable if another notation reads other numbers in one of these columns."""
        for name in names:
            doubt = self.evidence.doubtful.get(name)
            if doubt is not None:
                raise _number_doubt(name, doubt, self.evidence.notation)


def take_sample(table: Table, detected: Detected, words: Words) -> Sample:
    """Find out how the numbers of a table are written. `words` are the user's own choices, by key."""
    texts = {name: as_text(column) for name, column in table.columns.items()}
    notations = [notation for notation in NOTATIONS if _is_allowed(notation, words)]
    if not notations:
        thousands = words.get("thousands")
        notations = [(str(words.get("decimal", ".")), None if thousands is None else str(thousands))]
    columns = {name: column.without_cells() for name, column in table.columns.items() if isinstance(column, TextColumn)}
    detected = _add_currency(detected, columns, words)
    currency = detected.dialect.currency
    evidence = weigh_numbers({name: as_amounts(column, currency) for name, column in columns.items()}, notations)
    detected = _add_notation(detected, evidence, words)
    sample = Sample(
        table, detected, evidence, pd.DataFrame({name: column.codes for name, column in texts.items()}),
        {name: _missing_share(column) for name, column in texts.items()},
    )  # fmt: skip
    return replace(sample, numbers=_find_numbers(table, detected.dialect, sample.missing))


def find_dates(sample: Sample, name: str, form: str | None, *, digits: bool) -> DateEvidence | None:
    """Return how the dates of a column are written, or None. `digits`: a date may be digits alone."""
    column = sample.table.columns[name]
    if not isinstance(column, TextColumn):
        if not digits or not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            return None
        column = as_text(column)
    return weigh_dates(column, (form,) if form else DIGIT_FORMS if digits else DATE_FORMS)


def parse_dates(sample: Sample, name: str, form: str, why: str) -> tuple[Sample, ParsedColumn]:
    """Return the sample with its form of dates, and the dates of a column."""
    detected = sample.detected
    if form != detected.dialect.date_format:
        detected = detected.add("date_format", form, why)
    dated = replace(sample, detected=detected)
    return dated, parse_times(sample.table.columns[name], dated.dialect)


def date_doubt(name: str, evidence: DateEvidence) -> AmbiguousTable | None:
    """Return the error for dates that two forms read."""
    doubt = evidence.doubt
    if doubt is None:
        return None
    choices = [(form, describe_reading(doubt.example, form)) for form in (evidence.form, str(doubt.other))]
    message = f"'{doubt.example}' in {name} has two readings, and no other date of the column tells which"
    return AmbiguousTable(message, "date_format", choices)


def refuse_swapped_days(sample: Sample, name: str, form: str) -> None:
    """Raise DataError if days up to the 12th are cells with dates and all others text: a program has mixed up days and months.

    A program that expects the other order makes dates of 01/02 and 12/02, with day and month exchanged, and keeps 13/02 as text.
    """
    column = sample.table.columns[name]
    if not isinstance(column, TextColumn) or not {"%d", "%m"} <= set(re.findall("%.", form)):
        return
    typed = [cell for cell in column.cells.values() if isinstance(cell, pd.Timestamp)]
    texts = parse_times(column.without_cells(), Dialect(date_format=form)).values.dropna()
    if len(typed) > 1 and len(texts) > 1 and max(cell.day for cell in typed) <= _MONTHS < texts.dt.day.min():
        raise DataError(
            f"day and month may be exchanged in '{name}': its days up to the {_MONTHS}th are cells with dates, "
            "and all others are text",
            hint="the program that wrote the file took one for the other where it could: "
            "import the original with this column as text",
        )


def describe_reading(text: str, form: str) -> str:
    """Return the day that a text means in a form."""
    parsed = parse_times(TextColumn(np.zeros(1, "int32"), _one(text)), Dialect(date_format=form)).values.iloc[0]
    return f"{parsed:%Y-%m-%d}"


def _one(text: str) -> pa.StringArray:
    return pa.array([text], pa.string())


def _add_currency(detected: Detected, columns: Mapping[str, TextColumn], words: Words) -> Detected:
    """Return the finding with the currency that stands in most cells of a column, if there is such a column."""
    if "currency" in words:
        return detected
    for name, column in columns.items():
        rows = column.counts()
        found = pd.Series([find_currency(text) for text in column.texts.to_pylist()], dtype=object)
        currencies = pd.Series(rows, index=found.fillna("")).groupby(level=0).sum().drop("", errors="ignore")
        filled = rows[~is_missing(column.texts)].sum()
        if len(currencies) and currencies.max() >= _CURRENCY_SHARE * filled:
            shown = column.texts[int((found == currencies.idxmax()).idxmax())].as_py()
            return detected.add("currency", currencies.idxmax(), f"'{shown.strip()}' in {name} is an amount of money")
    return detected


def as_amounts(column: TextColumn, currency: str | None) -> TextColumn:
    """Return a column without the sign of the currency beside its numbers."""
    return column if currency is None else TextColumn(column.codes, strip_currency(column.texts, currency))


def _is_allowed(notation: tuple[str, str | None], words: Words) -> bool:
    decimal, thousands = notation
    return words.get("decimal", decimal) == decimal and words.get("thousands", thousands) == thousands


def _add_notation(detected: Detected, evidence: NumberEvidence, words: Words) -> Detected:
    decimal, thousands = evidence.notation
    why = f"{evidence.shown} is a number" if evidence.shown else "no number says otherwise"
    if decimal != detected.dialect.decimal and "decimal" not in words:
        detected = detected.add("decimal", decimal, why)
    if thousands != detected.dialect.thousands and "thousands" not in words:
        detected = detected.add("thousands", thousands, why)
    return detected


def _number_doubt(name: str, doubt: DoubtfulCells, notation: tuple[str, str | None]) -> AmbiguousTable:
    readings = [notation, doubt.other if isinstance(doubt.other, tuple) else notation]
    column = TextColumn(np.zeros(1, "int32"), _one(doubt.example))
    choices = []
    for decimal, thousands in readings:
        value = parse_numbers(column, Dialect(decimal=decimal, thousands=thousands)).values.iloc[0]
        choices.append((decimal, f"it is {value:.10g}"))
    return AmbiguousTable(
        f"'{doubt.example}' in {name} has two readings, and no other number tells which", "decimal", choices
    )


def _missing_share(column: TextColumn) -> float:
    return float(column.counts()[is_missing(column.texts)].sum() / max(len(column), 1))


def _find_numbers(table: Table, dialect: Dialect, missing: Mapping[str, float]) -> dict[str, ParsedColumn]:
    """Return the columns of which most values are numbers. A column decides by its whole: one odd cell does not make it text."""
    numbers = {}
    for name, column in table.columns.items():
        parsed = parse_numbers(column, dialect)
        filled = len(column) * (1 - missing[name])
        if parsed.values.notna().sum() >= max(NUMERIC * filled, 1):
            numbers[name] = parsed
    return numbers
