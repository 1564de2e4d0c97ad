"""`mlspec inventory`: the stock levels that follow from the newest forecast."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlspec.cli import options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report
from mlspec.cli.target import open_here
from mlspec.engine.rows import PlainRows, checked_facts, choose_run, load_rows
from mlspec.errors import StateError, UsageError
from mlspec.plan.stock_outcomes import COLUMNS, SHARES, describe_outcomes, stock_outcomes
from mlspec.state.record import ForecastRun


@click.command(short_help="Print safety stock, reorder point and order-up-to level.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json", "csv", "parquet", "xlsx")
@options.out_file
@options.series
@options.cutoff
@click.option(
    "--simulation",
    is_flag=True,
    help="Print what each policy would have reached on the backtest's actuals instead, for all series together.",
)
@options.rows_limit
def command(
    *,
    name: str,
    target: str,
    output: str,
    out: Path | None,
    series: dict[str, str],
    cutoff: str | None,
    simulation: bool,
    limit: int,
) -> None:
    """Print the stock levels of each series, computed from the forecast: safety stock, reorder point, order-up-to level.

    The last line says which service these levels would have reached on the actuals of the backtest, and with how much stock, beside
    the same formula on a seasonal naive forecast.
    """
    if simulation and series:
        raise UsageError("--simulation is of all series together", hint="leave --series out")
    opened = open_here(target)
    run = choose_run(opened, name, cutoff=cutoff)
    levels = load_rows(opened, name, "inventory", run)
    if simulation:
        rows.print_rows(name, _simulation_rows(name, run, as_text=output == "text"), output, limit, out)
        return
    rows.print_rows(name, rows.pick_series(name, levels, series, checked_facts(opened, name)), output, limit, out)
    if output == "text" and (sentence := describe_outcomes(run.facts.get("inventory") or {})):
        report(sentence)


def _simulation_rows(name: str, run: ForecastRun, *, as_text: bool) -> PlainRows:
    """Return one row for each policy and forecast; as text, with shares in percent. Raises StateError if nothing was simulated."""
    found = stock_outcomes(run.facts.get("inventory") or {})
    if not found:
        raise StateError(
            f"the stock levels of {name} have no simulation",
            hint="it takes two windows of the backtest or more; levels of an older mlspec get one with the next forecast",
        )
    values = [[_cell(column, row.get(column), as_text=as_text) for column in COLUMNS] for row in found]
    return PlainRows(list(COLUMNS), values)


def _cell(column: str, value: Any, *, as_text: bool) -> Any:
    return f"{value:.1%}" if as_text and column in SHARES and value is not None else value
