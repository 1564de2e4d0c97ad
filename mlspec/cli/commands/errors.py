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
from mlspec.engine.error_rows import SIDES, ErrorsRequest, error_rows, load_errors, measured_metrics
from mlspec.spec.metrics import MAIN, METRICS, Metric
from mlspec.state.error_grouping import ErrorGrouping
from mlspec.state.step import StepRequest


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
@options.rows_limit
def command(name: str, target: str, output: str, out: Path | None, by: str, cutoff: str | None, limit: int) -> None:
    """Print how wrong a forecast was since it serves (realised), beside the backtest of the version that serves.

    `realised` is measured as `mlspec status` and the alerts do: on each mature period, by the newest forecast made before it; with
    --by horizon on every forecast, by the periods ahead. The worst come first. A dash: nothing to measure yet.
    """
    opened = open_here(target)
    request = ErrorsRequest(name, cast("ErrorGrouping", by), cutoff, timestamp(), find_root())
    columns, ordered = load_errors(opened, request, _compare_errors)
    if output == "text" and out is None:
        click.echo(_as_text(ordered, columns, limit or None))
    else:
        rows.print_rows(name, error_rows(ordered, columns), output, limit, out)
    if output == "text" and not any(row["realised"] for row in ordered):
        report(f"{name}: no forecast that served has actual values yet, so nothing is realised")


def _compare_errors(
    request: StepRequest, by: ErrorGrouping, cutoff: str | None
) -> tuple[list[str], list[dict[str, Any]]]:
    from mlspec import jobs

    jobs.require_models()
    from mlspec.jobs.realised_errors import compare_errors

    return compare_errors(request, by, cutoff)


def _as_text(found: Sequence[Mapping[str, Any]], columns: Sequence[str], limit: int | None) -> str:
    """Return a table whose cells have what is realised and, behind the line, the backtest; with the number of rows left out."""
    # The main one, those where too low and too high differ, and those of packages. The other forms have all of them.
    shown = [one for one in measured_metrics(found) if one == MAIN or one.ideal is not None or one.name not in METRICS]
    titles = [*columns, *(metric.title for metric in shown), "values"]
    cells = [
        [
            *(str(row[column]) for column in columns),
            *(_pair(row, partial(_figure_text, metric)) for metric in shown),
            _pair(row, lambda side: f"{side.get('values', 0):,}"),
        ]
        for row in found[:limit]
    ]
    text = f"In each cell: {' | '.join(SIDES)}\n{format_table(titles, cells)}"
    return text + rows.more_rows_line(len(found) - len(cells))


def _figure_text(metric: Metric, side: Mapping[str, Any]) -> str:
    value = side.get(metric.name)
    return format_percent(value) if metric.unit == "share" or value is None else f"{value:.3f}"


def _pair(row: Mapping[str, Any], show: Callable[[Mapping[str, Any]], str]) -> str:
    realised, backtest = (show(row[side] or {}) for side in SIDES)
    return f"{realised:>6} | {backtest:>6}"
