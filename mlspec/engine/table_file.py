"""Rows as files that no terminal shows: Parquet, and workbooks of Excel, with dates and numbers as such."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from mlspec.engine.rows import PlainRows
from mlspec.errors import MissingExtra, UsageError

_SHEET = "forecast"
_MOST_ROWS = 1_048_576  # of a sheet: https://support.microsoft.com/office/excel-specifications-and-limits


def as_parquet(rows: PlainRows) -> bytes:
    """Return a Parquet file. Raises MissingExtra without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pa_parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "forecast") from error
    columns = {
        name: [_read_time(row[at]) if name in rows.times else row[at] for row in rows.values]
        for at, name in enumerate(rows.columns)
    }
    buffer = io.BytesIO()
    pa_parquet.write_table(pa.table(columns), buffer, compression="zstd")
    return buffer.getvalue()


def as_xlsx(rows: PlainRows) -> bytes:
    """Return a workbook with one sheet. Text stays text, also where a spreadsheet would take it for a formula.

    Raises MissingExtra without openpyxl, UsageError if a sheet cannot hold all rows.
    """
    if len(rows.values) >= _MOST_ROWS:
        raise UsageError(
            f"a sheet holds {_MOST_ROWS - 1:,} rows, and there are {len(rows.values):,}",
            hint="use --output parquet or csv",
        )
    try:
        from openpyxl import Workbook
    except ImportError as error:
        raise MissingExtra("openpyxl", "xlsx") from error
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_SHEET)
    sheet.freeze_panes = "A2"
    sheet.append([_cell(sheet, name) for name in rows.columns])
    is_time = [name in rows.times for name in rows.columns]
    for row in rows.values:
        sheet.append(
            [_cell(sheet, _clock_time(value) if timed else value) for value, timed in zip(row, is_time, strict=True)]
        )
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _cell(sheet: Any, value: Any) -> Any:
    """Return a value for a sheet; a text as a cell that is no formula, without the characters that XML cannot hold."""
    if not isinstance(value, str):
        return value
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value))
    cell.data_type = "s"
    return cell


def _read_time(value: str | None) -> date | None:
    """Return the date or time that an ISO text names."""
    if value is None:
        return None
    return datetime.fromisoformat(value) if "T" in value else date.fromisoformat(value)


def _clock_time(value: str | None) -> date | None:
    """Return the same without an offset: a workbook has none, and the clocks are those of the forecast's own zone."""
    time = _read_time(value)
    return time.replace(tzinfo=None) if isinstance(time, datetime) else time


FORMS: dict[str, Callable[[PlainRows], bytes]] = {"parquet": as_parquet, "xlsx": as_xlsx}
