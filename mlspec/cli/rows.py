"""Rows of a forecast, printed as text, JSON or CSV that a spreadsheet can open without harm."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import click

from mlspec.cli.table import format_table
from mlspec.engine.rows import PlainRows

# A spreadsheet reads a cell that begins with one of these as a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_text(rows: PlainRows, limit: int | None) -> str:
    """Return the first `limit` rows as a table, with the number of the rest."""
    shown = rows.values[:limit]
    text = format_table(rows.columns, [[_round_value(value) for value in row] for row in shown])
    more = len(rows.values) - len(shown)
    return f"{text}\n… and {more:,} more rows (--limit 0 or --output csv prints all)" if more else text


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
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_escape_formula(name) for name in rows.columns])
    writer.writerows([[_escape_formula(value) for value in row] for row in rows.values])
    return out.getvalue()


def _escape_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def print_rows(name: str, rows: PlainRows, output: str, limit: int) -> None:
    """Print rows in the requested form; json and csv contain all of them."""
    if output == "json":
        click.echo(as_json(name, rows))
    elif output == "csv":
        click.echo(as_csv(rows), nl=False)
    else:
        click.echo(as_text(rows, limit or None))


def parse_pairs(_context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Read `--series COLUMN=VALUE` options."""
    for value in values:
        if "=" not in value or value.startswith("="):
            raise click.BadParameter(f"'{value}' is not of the form COLUMN=VALUE", param=parameter)
    return dict(value.split("=", 1) for value in values)
