"""`mlspec errors`: how wrong a forecast is, by series, by periods ahead or by segment, in the backtest and since it serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import click

from mlspec.cli import options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report
from mlspec.cli.project import find_root
from mlspec.cli.table import format_percent, format_table
from mlspec.cli.target import open_here, timestamp
from mlspec.engine.error_request import error_request
from mlspec.engine.rows import PlainRows
from mlspec.errors import UsageError
from mlspec.plan.natural_order import natural_key
from mlspec.plan.select import known_name
from mlspec.spec.metrics import MAIN, METRICS, metrics_of_kind

_SIDES = ("realised", "backtest")
_SHOWN = (MAIN.name, "bias", "coverage")  # metrics of the text; the other forms have all of them


@click.command(short_help="Print realised errors beside those of the backtest.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json", "csv", "parquet", "xlsx")
@options.out_file
@click.option(
    "--by", type=click.Choice(["all", "series", "horizon", "segment"]), default="all", show_default=True,
    help="One row for each series, for each number of periods ahead, or for each value of a series or static column.",
)  # fmt: skip
@click.option("--cutoff", metavar="DATE", help="Only forecasts that were made from the data up to this period.")
@click.option("--limit", type=click.IntRange(min=0), default=24, show_default=True, help="Rows in text; 0 prints all.")
def command(name: str, target: str, output: str, out: Path | None, by: str, cutoff: str | None, limit: int) -> None:
    """Print how wrong a forecast was since it serves (realised), beside the backtest of the version that serves.

    `realised` is measured as `mlspec status` and the alerts do: on each mature period, by the newest forecast made before it; with
    --by horizon on every forecast, by the periods ahead. The worst come first. A dash: nothing to measure yet.
    """
    from mlspec import jobs

    opened = open_here(target)
    known_name(name, opened.forecast_names())
    jobs.require_models()
    from mlspec.jobs.realised_errors import ErrorGrouping, compare_errors

    request = error_request(opened, name, timestamp(), find_root())
    columns, found = compare_errors(request, cast("ErrorGrouping", by), cutoff)
    if not any(row["realised"] or row["backtest"] for row in found):
        raise UsageError(
            f"no forecast of {name} with actual values was made from '{cutoff}'"
            if cutoff
            else f"{name} has no errors yet",
            hint=f"leave out --cutoff, or see `mlspec forecast {name}` for the cutoff of the newest forecast",
        )
    ordered = sorted(found, key=lambda row: _order(row, columns, by))
    if output == "text" and out is None:
        click.echo(_as_text(ordered, columns, limit or None))
    else:
        rows.print_rows(name, _as_rows(ordered, columns), output, limit, out)
    if output == "text" and not any(row["realised"] for row in found):
        report(f"{name}: no forecast that served has actual values yet, so nothing is realised")


def _order(row: Mapping[str, Any], columns: Sequence[str], by: str) -> tuple[Any, ...]:
    """Return the sort key: by periods ahead, else the worst realised error first, then the worst of the backtest, then by key."""
    keys = tuple(natural_key(row[column]) for column in columns)
    worst = () if by in ("all", "horizon") else tuple(-_main(row[side]) for side in _SIDES)
    return (row.get("segment", ""), worst, keys)


def _main(metrics: Mapping[str, Any] | None) -> float:
    value = (metrics or {}).get(MAIN.name)
    return -1.0 if value is None else float(value)


def _as_rows(found: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> PlainRows:
    """Return a column for each key, and for each metric one of what is realised and one of the backtest; then how many values."""
    metrics = [metric.name for metric in metrics_of_kind("accuracy")]
    names = [(side, metric) for metric in (*metrics, "values") for side in _SIDES]
    values = [
        [*(row[column] for column in columns), *((row[side] or {}).get(key) for side, key in names)] for row in found
    ]
    return PlainRows([*columns, *(f"{side}_{metric}" for side, metric in names)], values)


def _as_text(found: Sequence[Mapping[str, Any]], columns: Sequence[str], limit: int | None) -> str:
    """Return a table whose cells have what is realised and, behind the line, the backtest; with the number of rows left out."""
    titles = [*columns, *(METRICS[name].title for name in _SHOWN), "values"]
    cells = [
        [
            *(str(row[column]) for column in columns),
            *(_pair(row, partial(_share_text, name)) for name in _SHOWN),
            _pair(row, lambda side: f"{side.get('values', 0):,}"),
        ]
        for row in found[:limit]
    ]
    text = f"In each cell: {' | '.join(_SIDES)}\n{format_table(titles, cells)}"
    more = len(found) - len(cells)
    return f"{text}\n… and {more:,} more rows (--limit 0 or --output csv prints all)" if more else text


def _share_text(metric: str, side: Mapping[str, Any]) -> str:
    return format_percent(side.get(metric))


def _pair(row: Mapping[str, Any], show: Callable[[Mapping[str, Any]], str]) -> str:
    realised, backtest = (show(row[side] or {}) for side in _SIDES)
    return f"{realised:>6} | {backtest:>6}"
