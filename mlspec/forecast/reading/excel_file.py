"""Reads columns of a sheet of a workbook, with calamine. Cells have types there, and a column of one type comes as that type."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import python_calamine as calamine

from mlspec.errors import DataError
from mlspec.forecast.reading.budget import RowBudget
from mlspec.forecast.reading.column import Column, FileRows, cell_text, cells_as_column
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.header import find_header_row, refuse_missing

HINT = "open it in a spreadsheet program and save it again as xlsx, or save the sheet as CSV"
_OLE = b"\xd0\xcf\x11\xe0"  # the beginning of an xls file; those of the other formats are archives
_LOOKED_AT = 200  # rows of a sheet that tell where its header is
_FEWEST_ROWS = 3  # of a sheet with a table: a header and two rows
# Bytes of memory that one byte of the files in a workbook takes at most while it is read.
_GROWTH = 4


@dataclass(frozen=True)
class ExcelTable:
    """The cells of a sheet: the header, and below it the rows that are not empty, with their numbers in the sheet."""

    header: list[str]
    cells: list[list[Any]]
    rows: list[int]

    def read(self, column_names: list[str], most: int | None = None) -> FileRows:
        """Return some columns; of the first `most` rows, or of all."""
        places = {name: self.header.index(name) for name in column_names}
        cells = self.cells[:most]
        columns = {name: as_column([row[place] for row in cells]) for name, place in places.items()}
        return FileRows(columns, np.array(self.rows[:most], dtype="int64"), ())


def open_sheet(file: Path, column_names: list[str] | None, dialect: Dialect, budget: RowBudget) -> ExcelTable:
    """Read the sheet of a workbook, after a look at how large it is. Raises DataError."""
    workbook = open_workbook(file, budget)
    name = _find_sheet(workbook.sheet_names, dialect.sheet, file, budget.where)
    grid: list[list[Any]] = workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
    filled = [
        (number, row)
        for number, row in enumerate(grid, 1)
        if number >= (dialect.header_row or 1) and any(cell != "" for cell in row)
    ]
    if not filled:
        raise DataError(f"{budget.where}: the sheet '{name}' of '{file.name}' is empty", hint="name another with sheet")
    header = [_header_text(cell) for cell in filled[0][1]]
    refuse_missing(column_names or [], header, file, budget.where)
    return ExcelTable(header, [row for _, row in filled[1:]], [number for number, _ in filled[1:]])


def open_workbook(file: Path, budget: RowBudget) -> calamine.CalamineWorkbook:
    """Open a workbook, if what it holds fits into memory. Raises DataError."""
    try:
        budget.add(file, 0, _unpacked_size(file) * _GROWTH)
        return calamine.CalamineWorkbook.from_path(file)
    except calamine.PasswordError as error:
        raise DataError(
            f"{budget.where}: '{file.name}' is protected by a password", hint="save it without one"
        ) from error
    except (zipfile.BadZipFile, calamine.CalamineError) as error:
        raise DataError(
            f"{budget.where}: '{file.name}' cannot be read: it is no workbook, or it is truncated", hint=HINT
        ) from error


def _find_sheet(names: Sequence[str], wanted: str | None, file: Path, where: str) -> str:
    name = names[0] if wanted is None and names else wanted
    if name is None or name not in names:
        raise DataError(
            f"{where}: '{file.name}' has no sheet '{wanted or 1}'",
            hint=f"its sheets are {', '.join(names[:20]) or 'none'}",
        )
    return name


def _unpacked_size(file: Path) -> int:
    with file.open("rb") as stream:
        if stream.read(len(_OLE)) == _OLE:
            return file.stat().st_size
    with zipfile.ZipFile(file) as archive:
        return sum(entry.file_size for entry in archive.infolist())


@dataclass(frozen=True)
class SheetTable:
    """A sheet that has a table: the row of its header, and the first row that is not empty."""

    name: str
    header_row: int
    first_row: int


def sheets_with_tables(file: Path) -> list[SheetTable]:
    """Return the sheets that have a header of two or more columns and rows below it. Raises DataError."""
    workbook = open_workbook(file, RowBudget(file.name, None))
    tables = (_find_table(name, workbook.get_sheet_by_name(name)) for name in workbook.sheet_names)
    return [table for table in tables if table is not None]


def _find_table(name: str, sheet: calamine.CalamineSheet) -> SheetTable | None:
    rows = sheet.to_python(skip_empty_area=False, nrows=_LOOKED_AT)
    place = find_header_row(rows)
    wide = sum(sum(cell != "" for cell in row) > 1 for row in rows[place:])
    if wide < _FEWEST_ROWS:
        return None
    first = next(number for number, row in enumerate(rows, 1) if any(cell != "" for cell in row))
    return SheetTable(name, place + 1, first)


def as_column(cells: Sequence[Any]) -> Column:
    """Return cells as a column: of numbers or dates, if all are, else of text and what stands beside it."""
    kinds = {type(cell) for cell in cells if cell != ""}
    if kinds and kinds <= {int, float}:
        return pd.Series([np.nan if cell == "" else float(cell) for cell in cells], dtype="float64")
    if kinds and kinds <= {dt.date, dt.datetime}:
        return pd.to_datetime(pd.Series([None if cell == "" else cell for cell in cells]), errors="coerce").astype(
            "datetime64[us]"
        )
    return cells_as_column(cells)


def _header_text(cell: Any) -> str:
    return cell_text(cell).strip()
