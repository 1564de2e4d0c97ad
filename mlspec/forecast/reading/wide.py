"""Reads a wide table, with one column for each period, as rows: one for each series and period.

The columns of periods are those whose names are dates as `dataset.source.date_format` says. A cell that is empty, or says that
there is no value, is no row: a wide table cannot leave out a row in another way. Each row knows the row and the column of its
cell, for messages.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec import memory
from mlspec.errors import DataError
from mlspec.forecast.reading.budget import NUMBER_BYTES, ROW_BYTES, RowBudget
from mlspec.forecast.reading.column import Column, TextColumn, as_text, take_rows, texts_as_column
from mlspec.forecast.reading.csv_file import Kinds
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.misspelt_periods import find_misspelt_period
from mlspec.forecast.reading.numbers import is_missing
from mlspec.forecast.reading.table import NO_KINDS, Table, file_columns, join_columns, join_tables, read_table
from mlspec.forecast.reading.times import describe_form, read_times

_SHOWN = 20  # names of columns in a message


@dataclass(frozen=True)
class RowNames:
    """How the columns are named that a wide file does not have: the one of the periods, and the one of the values."""

    time: str
    value: str


def read_wide_table(
    files: Sequence[Path],
    columns: Iterable[str],
    names: RowNames,
    dialect: Dialect,
    where: str,
    *,
    typed: bool = True,
    folder: Path | None = None,
) -> Table:
    """Read wide `files` as rows with these `columns`; `typed`: numbers may come as such. Raises DataError as `read_table` does."""
    kept = [name for name in dict.fromkeys(columns) if name not in (names.time, names.value)]
    budget = RowBudget(where, memory.step_memory())
    parts = []
    for file in files:
        periods = find_periods(file_columns(file, dialect, where), kept, names, dialect, file=file, where=where)
        wanted = [*kept, *periods]
        kinds: Kinds = dict.fromkeys(periods, "number") if typed else NO_KINDS
        table = read_table([file], wanted, dialect, where, kinds=kinds, folder=folder)
        cells = len(table) * len(periods)
        budget.add(file, cells, cells * (ROW_BYTES + NUMBER_BYTES))
        parts.append(melt_table(table, periods, names))
    kinds_of_values = {isinstance(part.columns[names.value], TextColumn) for part in parts}
    if typed and len(kinds_of_values) > 1:  # what one file has as text is text in all, so that all are parsed alike
        return read_wide_table(files, columns, names, dialect, where, typed=False, folder=folder)
    joined = join_tables(files, parts)
    return joined if len(files) == 1 else _drop_empty_lines(joined, kept, names)


def _drop_empty_lines(table: Table, kept: Sequence[str], names: RowNames) -> Table:
    """Return the rows of several files without those of lines without a value, if another line with these names has one."""
    values = table.columns[names.value]
    empty = is_missing(values.texts)[values.codes] if isinstance(values, TextColumn) else values.isna().to_numpy()
    if not empty.any():
        return table
    lines = pd.DataFrame({name: as_text(table.columns[name]).codes for name in kept})
    known = pd.concat([lines[~empty], lines[empty]]).duplicated().sort_index().to_numpy()
    return table.take(np.flatnonzero(~(empty & known)))


def find_periods(
    header: Sequence[str], kept: Sequence[str], names: RowNames, dialect: Dialect, *, file: Path, where: str
) -> list[str]:
    """Return the columns of a wide file that are named as periods. Raises DataError if there are none, or if one is misspelt."""
    taken = next((name for name in (names.time, names.value) if name in header), None)
    if taken is not None:
        raise DataError(
            f"{where}: '{file.name}' has a column '{taken}', and dataset.source.layout says that its periods are columns",
            hint="give dataset.time and dataset.target names that the file does not have, or remove layout",
        )
    texts = pd.Series([name if name not in kept else "" for name in header], dtype=object)
    is_period = read_times(texts, dialect.date_format).notna()
    places = [place for place, found in enumerate(is_period) if found]
    if not places:
        raise DataError(
            f"{where}: no column of '{file.name}' is named as a period in the form {describe_form(dialect.date_format)}",
            hint=f"dataset.source.date_format says how they are named; its columns are {', '.join(header[:_SHOWN])}",
        )
    between = [name for name in header[places[0] : places[-1]] if name not in kept]
    odd = next((name for name in between if name not in texts[is_period].tolist()), None)
    if odd is not None:
        raise DataError(
            f"{where}: the column '{odd[:80]}' of '{file.name}' stands between periods and is none in the form "
            f"{describe_form(dialect.date_format)}",
            hint="correct its name, or move it before the first period or behind the last",
        )
    periods = [header[place] for place in places]
    others = [
        name for name in (*header[: places[0]], *header[places[-1] :]) if name not in kept and name not in periods
    ]
    _refuse_misspelt(others, periods, dialect, file=file, where=where)
    return periods


def _refuse_misspelt(
    others: Sequence[str], periods: Sequence[str], dialect: Dialect, *, file: Path, where: str
) -> None:
    """Raise DataError if a column before or behind the periods is named nearly as one: its values would be lost."""
    odd = find_misspelt_period(others, periods, dialect.date_format)
    if odd is not None:
        raise DataError(
            f"{where}: the column '{odd[:80]}' of '{file.name}' is not named as a period in the form "
            f"{describe_form(dialect.date_format)}, and {len(periods):,} others are, from '{periods[0]}' to '{periods[-1]}'",
            hint="correct its name; if it holds no period, give it a name that is not like one",
        )


def melt_table(table: Table, periods: Sequence[str], names: RowNames) -> Table:
    """Return a wide table as rows, line by line. A line without any value is one row, so that its series is known."""
    lines, count = len(table), len(periods)
    values, is_empty = _interleave([table.columns[name] for name in periods])
    kept = ~is_empty.reshape(lines, count)
    kept[:, 0] |= ~kept.any(axis=1) & ~_blank_lines(table, periods)
    rows = np.flatnonzero(kept.ravel())
    line, place = rows // count, rows % count
    columns = {name: take_rows(column, line) for name, column in table.columns.items() if name not in periods}
    columns |= {names.time: take_rows(texts_as_column(periods), place), names.value: take_rows(values, rows)}
    cells = pd.Categorical.from_codes(place.astype("int32"), list(periods))
    origin = table.origin.iloc[line].reset_index(drop=True)
    return Table(columns, origin, table.ragged, cell_columns={names.time: cells, names.value: cells})


def _interleave(columns: Sequence[Column]) -> tuple[Column, npt.NDArray[np.bool_]]:
    """Return the cells of columns line by line, and which of them have no value."""
    if all(_is_numeric(column) for column in columns):
        numbers = np.column_stack([np.asarray(column, dtype="float64") for column in columns]).ravel()
        return pd.Series(numbers), np.isnan(numbers)
    joined = join_columns(list(columns))
    texts = joined if isinstance(joined, TextColumn) else as_text(joined)
    codes = texts.codes.reshape(len(columns), -1).T.ravel()
    return TextColumn(codes, texts.texts, texts.cells), is_missing(texts.texts)[codes]


def _is_numeric(column: Column) -> bool:
    return (
        isinstance(column, pd.Series)
        and pd.api.types.is_numeric_dtype(column)
        and not pd.api.types.is_bool_dtype(column)
    )


def _blank_lines(table: Table, periods: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which lines have no text in any other column: an empty line at a file's end names no series."""
    others = [as_text(column) for name, column in table.columns.items() if name not in periods]
    blank = np.ones(len(table), dtype=bool)
    for column in others:
        blank &= column.rows_with("")
    return blank
