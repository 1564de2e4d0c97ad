"""Reads columns of a sheet of an xlsx file, with calamine. Cells have types there: a column of one type comes as that type."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import python_calamine as calamine

from mlspec.errors import DataError
from mlspec.forecast.reading.budget import RowBudget
from mlspec.forecast.reading.column import Column, FileRows, texts_as_column
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.header import refuse_missing

HINT = "open it in a spreadsheet program and save it again as xlsx, or save the sheet as CSV"
# Bytes of memory that one byte of the files in a workbook takes at most while it is read.
_GROWTH = 4

# How a date is written as text in the named forms; other forms are formats of strptime themselves.
_WRITTEN = {"iso": "%Y-%m-%dT%H:%M:%S", "iso-week": "%G-W%V", "yyyymm": "%Y%m", "yyyymmdd": "%Y%m%d"}


@dataclass(frozen=True)
class ExcelTable:
    """The cells of a sheet: the header, and below it the rows that are not empty, with their numbers in the sheet."""

    header: list[str]
    cells: list[list[Any]]
    rows: list[int]
    dialect: Dialect

    def read(self, column_names: list[str], most: int | None = None) -> FileRows:
        """Return some columns; of the first `most` rows, or of all."""
        places = {name: self.header.index(name) for name in column_names}
        cells = self.cells[:most]
        columns = {name: as_column([row[place] for row in cells], self.dialect) for name, place in places.items()}
        return FileRows(columns, np.array(self.rows[:most], dtype="int64"), ())


def open_xlsx(file: Path, column_names: list[str] | None, dialect: Dialect, budget: RowBudget) -> ExcelTable:
    """Read the sheet of an xlsx file, after a look at how large it is. Raises DataError."""
    workbook = open_workbook(file, budget)
    name = _find_sheet(workbook.sheet_names, dialect.sheet, file, budget.where)
    grid: list[list[Any]] = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    filled = [(number, row) for number, row in enumerate(grid, 1) if any(cell != "" for cell in row)]
    if not filled:
        raise DataError(f"{budget.where}: the sheet '{name}' of '{file.name}' is empty", hint="name another with sheet")
    header = [_header_text(cell) for cell in filled[0][1]]
    refuse_missing(column_names or [], header, file, budget.where)
    return ExcelTable(header, [row for _, row in filled[1:]], [number for number, _ in filled[1:]], dialect)


def open_workbook(file: Path, budget: RowBudget) -> calamine.CalamineWorkbook:
    """Open an xlsx file, if what it holds fits into memory. Raises DataError."""
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        budget.add(file, 0, size * _GROWTH)
        return calamine.CalamineWorkbook.from_path(file)
    except calamine.PasswordError as error:
        raise DataError(
            f"{budget.where}: '{file.name}' is protected by a password", hint="save it without one"
        ) from error
    except (zipfile.BadZipFile, calamine.CalamineError) as error:
        raise DataError(
            f"{budget.where}: '{file.name}' cannot be read: it is no xlsx file, or it is truncated", hint=HINT
        ) from error


def _find_sheet(names: Sequence[str], wanted: str | None, file: Path, where: str) -> str:
    name = names[0] if wanted is None and names else wanted
    if name is None or name not in names:
        raise DataError(
            f"{where}: '{file.name}' has no sheet '{wanted or 1}'",
            hint=f"its sheets are {', '.join(names[:20]) or 'none'}",
        )
    return name


def sheets_with_tables(file: Path) -> list[str]:
    """Return the sheets that have a header of two or more columns and a row below it. Raises DataError."""
    workbook = open_workbook(file, RowBudget(file.name, None))
    sheets = ((name, workbook.get_sheet_by_name(name)) for name in workbook.sheet_names)
    return [name for name, sheet in sheets if sheet.width > 1 and sheet.height > 1]


def as_column(cells: Sequence[Any], dialect: Dialect) -> Column:
    """Return cells as a column: of numbers or dates, if all are, else of text as the dialect writes it."""
    kinds = {type(cell) for cell in cells if cell != ""}
    if kinds and kinds <= {int, float}:
        return pd.Series([np.nan if cell == "" else float(cell) for cell in cells], dtype="float64")
    if kinds and kinds <= {dt.date, dt.datetime}:
        return pd.to_datetime(pd.Series([None if cell == "" else cell for cell in cells]), errors="coerce").astype(
            "datetime64[us]"
        )
    return texts_as_column([_cell_text(cell, dialect) for cell in cells])


def _header_text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _cell_text(cell: Any, dialect: Dialect) -> str:
    write = _WRITERS.get(type(cell))
    return write(cell, dialect) if write else str(cell)


def _number_text(cell: float, dialect: Dialect) -> str:
    return str(int(cell)) if cell.is_integer() else repr(cell).replace(".", dialect.decimal)


def _time_text(cell: dt.date, dialect: Dialect) -> str:
    if dialect.date_format == "quarter":
        return f"{cell.year}Q{(cell.month + 2) // 3}"
    return cell.strftime(_WRITTEN.get(dialect.date_format, dialect.date_format))


_WRITERS: dict[type, Callable[[Any, Dialect], str]] = {
    float: _number_text,
    dt.date: _time_text,
    dt.datetime: _time_text,
}
