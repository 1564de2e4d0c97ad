"""Rows of a forecast, printed as text, JSON or CSV that a spreadsheet can open without harm."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from mlspec.cli.messages import report
from mlspec.cli.output_file import write_output
from mlspec.cli.table import format_table, table_width
from mlspec.engine import table_file
from mlspec.engine.rows import PlainRows
from mlspec.errors import UsageError
from mlspec.plan.series_fates import find_fate
from mlspec.render.csv_text import csv_text

_QUANTILE = re.compile(r"q0?\.[0-9]+")
_FATES_HINT = (
    "`mlspec explain dataset.ended_series` and `mlspec explain dataset.new_series` say what such a series can get"
)


def as_text(rows: PlainRows, limit: int | None, width: int | None = None) -> str:
    """Return the first `limit` rows as a table, with the number of the rest.

    With a `width`, columns that tell least are left out until the table is no wider, and a line names them.
    """
    shown = [[_round_value(value) for value in row] for row in rows.values[:limit]]
    columns, spare, left_out = list(rows.columns), _spare_columns(rows.columns), list[str]()
    while width is not None and spare and table_width(columns, shown) > width:
        left_out.append(spare.pop(0))
        place = columns.index(left_out[-1])
        columns = columns[:place] + columns[place + 1 :]
        shown = [row[:place] + row[place + 1 :] for row in shown]
    titles = ", ".join(name for name in rows.columns if name in left_out)
    note = f"\n(--output csv or a wider terminal also shows: {titles})" if left_out else ""
    return format_table(columns, shown) + note + more_rows_line(len(rows.values) - len(shown))


def _spare_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns that a narrow terminal can do without, first those that tell least; of quantiles those near the median.

    No column of a user's data has one of these names (`spec.output_columns`).
    """
    quantiles = [name for name in columns if _QUANTILE.fullmatch(name)]
    quantiles.sort(key=lambda name: abs(float(name[1:]) - 0.5))
    return [name for name in ("version", "cutoff", "protection_demand", *quantiles, "safety_stock") if name in columns]


def _terminal_width() -> int | None:
    """Return how wide the terminal is; None where the text goes elsewhere, as a program may read all columns there."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def more_rows_line(count: int) -> str:
    """Return the line behind a table that leaves out `count` rows; nothing if it leaves out none."""
    return f"\n… and {count:,} more rows (--limit 0 or --output csv prints all)" if count else ""


def _round_value(value: Any) -> Any:
    return round(value, 2) if isinstance(value, float) else value


def as_json(name: str, rows: PlainRows) -> str:
    """Return rows in long format: one object a row."""
    return json.dumps(
        {"forecast": name, "rows": [dict(zip(rows.columns, row, strict=True)) for row in rows.values]},
        indent=2,
        allow_nan=False,
    )


def as_csv(rows: PlainRows) -> str:
    """Return CSV by RFC 4180; text that a spreadsheet would run as a formula gets an apostrophe before it."""
    return csv_text(rows.columns, rows.values)


def print_rows(name: str, rows: PlainRows, output: str, limit: int, out: Path | None = None) -> None:
    """Print rows in the requested form, or write them to a file; every form but text contains all of them.

    Raises UsageError for a form that no terminal can show, without a file.
    """
    if output in table_file.FORMS:
        if out is None:
            raise UsageError(f"--output {output} needs a file", hint=f"add --out {name}.{output}")
        write_output(out, table_file.FORMS[output](rows))
    elif out is not None:
        write_output(out, _as_printed(name, rows, output, 0))
    else:
        click.echo(_as_printed(name, rows, output, limit, _terminal_width()), nl=output != "csv")
        return
    report(f"wrote {out}: {len(rows.values):,} rows")


def _as_printed(name: str, rows: PlainRows, output: str, limit: int, width: int | None = None) -> str:
    if output == "json":
        return as_json(name, rows)
    return as_csv(rows) if output == "csv" else as_text(rows, limit or None, width)


def pick_series(name: str, rows: PlainRows, series: Mapping[str, str], facts: Mapping[str, Any]) -> PlainRows:
    """Return the rows of the series that `--series` names. Raises UsageError if there are none, with the reason if it is known.

    `facts` are those of the checked data.
    """
    picked = rows.filter_rows(dict(series))
    if picked.values or not series:
        return picked
    pairs = " ".join(f"{column}={value}" for column, value in series.items())
    fate = find_fate(facts, tuple(series.values()))
    if fate is not None:
        raise UsageError(f"{name} has no forecast for {pairs}: {fate}", hint=_FATES_HINT)
    raise UsageError(f"{name} has no series {pairs}", hint=rows.hint_on_series(series, name))
