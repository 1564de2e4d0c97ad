"""One table of sales, written in any way in which people write one: for tests that read it back."""

from __future__ import annotations

import csv
import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from mlspec.spec.dataset import Dataset

HEADER = ("data", "loja", "vendas")
DAYS = {
    "iso": "%Y-%m-%d", "%d/%m/%Y": "%d/%m/%Y", "%m/%d/%Y": "%m/%d/%Y", "%d.%m.%y": "%d.%m.%y", "yyyymmdd": "%Y%m%d",
    "%d/%b/%Y": "%d/%b/%Y",
}  # fmt: skip


@dataclass(frozen=True)
class Sales:
    """Rows of sales: a day, a shop, units with two decimals, or None where there is no value."""

    rows: tuple[tuple[pd.Timestamp, str, float | None], ...]


@dataclass(frozen=True)
class Written:
    """How a table is written: the keys of a spec's source, and what no key says: line ends, quotes, a mark at the beginning."""

    keys: dict[str, Any] = field(default_factory=dict)
    line_end: str = "\n"
    quoted: bool = False
    order: tuple[str, ...] = HEADER

    def key(self, name: str, default: Any) -> Any:
        return self.keys.get(name, default)


def number_text(value: float | None, decimal: str = ".", thousands: str | None = None) -> str:
    """A number with two decimals."""
    if value is None:
        return ""
    whole, _, decimals = f"{value:,.2f}".partition(".")
    return f"{whole.replace(',', thousands or '')}{decimal}{decimals}"


def cells(sales: Sales, written: Written) -> list[dict[str, str]]:
    decimal, thousands = written.key("decimal", "."), written.key("thousands", None)
    form = DAYS[written.key("date_format", "iso")]
    return [
        {"data": day.strftime(form), "loja": shop, "vendas": number_text(units, decimal, thousands)}
        for day, shop, units in sales.rows
    ]


def csv_bytes(sales: Sales, written: Written) -> bytes:
    delimiter, mark = written.key("delimiter", ","), written.key("quote", '"')

    def quote(text: str) -> str:
        special = written.quoted or any(sign in text for sign in (delimiter, mark, "\n", "\r"))
        return mark + text.replace(mark, mark * 2) + mark if special else text

    rows = [dict(zip(HEADER, HEADER, strict=True)), *cells(sales, written)]
    text = "".join(delimiter.join(quote(row[name]) for name in written.order) + written.line_end for row in rows)
    data = text.encode(written.key("encoding", "utf-8"))
    compression = written.key("compression", None)
    if compression == "gzip":
        return gzip.compress(data)
    return pa.compress(data, codec="zstd", asbytes=True) if compression == "zstd" else data


def wide_cells(sales: Sales, written: Written) -> list[list[str]]:
    """The lines of a wide table: a shop, and its units in a column for each day; a day without a row is an empty cell."""
    days = sorted({day for day, _, _ in sales.rows})
    shops = list(dict.fromkeys(shop for _, shop, _ in sales.rows))
    units = {
        (shop, row["data"]): row["vendas"] for row, (_, shop, _) in zip(cells(sales, written), sales.rows, strict=True)
    }
    texts = [day.strftime(DAYS[written.key("date_format", "iso")]) for day in days]
    return [["loja", *texts], *([shop, *(units.get((shop, text), "") for text in texts)] for shop in shops)]


def wide_csv_bytes(sales: Sales, written: Written) -> bytes:
    """The same sales as a wide CSV file."""
    target = io.StringIO()
    writer = csv.writer(target, delimiter=written.key("delimiter", ","), lineterminator=written.line_end)
    writer.writerows(wide_cells(sales, written))
    return target.getvalue().encode(written.key("encoding", "utf-8"))


def excel_bytes(sales: Sales, written: Written, *, typed: bool) -> bytes:
    """A workbook with a sheet of notes and one of sales; typed cells, or text as it would be in a CSV file."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Notas"
    sheet = book.create_sheet(written.key("sheet", "Plan1"))
    sheet.append(list(written.order))
    for row, (day, _shop, units) in zip(cells(sales, written), sales.rows, strict=True):
        values: dict[str, Any] = {**row, "data": day.to_pydatetime(), "vendas": units} if typed else row
        sheet.append([values[name] for name in written.order])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def mixed_excel_bytes(sales: Sales, written: Written, typed: list[bool]) -> bytes:
    """A workbook whose cells are numbers and dates, or text as in a CSV file, in turn as `typed` says."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = written.key("sheet", "Plan1")
    book.active.append(list(written.order))
    for place, (row, (day, _shop, units)) in enumerate(zip(cells(sales, written), sales.rows, strict=True)):
        kept = typed[place % len(typed)]
        values: dict[str, Any] = {**row, "data": day.to_pydatetime(), "vendas": units} if kept else row
        book.active.append([values[name] for name in written.order])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def write_partitions(sales: Sales, folder: Path) -> None:
    """A folder of Parquet files, one for each shop."""
    frame = pd.DataFrame(sales.rows, columns=list(HEADER))
    frame.to_parquet(folder, partition_cols=["loja"])


def dataset(uri: str, keys: dict[str, Any], **parts: Any) -> Dataset:
    value = {"source": {"uri": uri, **keys}, "time": "data", "series": ["loja"], "target": "vendas", "frequency": "D"}
    return Dataset.model_validate({**value, **parts})
