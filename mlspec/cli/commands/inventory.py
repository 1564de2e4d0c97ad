"""`mlspec inventory`: the stock levels that follow from the newest forecast."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.target import open_here
from mlspec.engine.rows import checked_facts, choose_run, load_rows


@click.command(short_help="Print safety stock, reorder point and order-up-to level.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json", "csv", "parquet", "xlsx")
@options.out_file
@options.series
@options.cutoff
@click.option("--limit", type=click.IntRange(min=0), default=24, show_default=True, help="Rows in text; 0 prints all.")
def command(
    name: str, target: str, output: str, out: Path | None, series: dict[str, str], cutoff: str | None, limit: int
) -> None:
    """Print the stock levels of each series, computed from the forecast: safety stock, reorder point, order-up-to level."""
    opened = open_here(target)
    levels = load_rows(opened, name, "inventory", choose_run(opened, name, cutoff=cutoff))
    rows.print_rows(name, rows.pick_series(name, levels, series, checked_facts(opened, name)), output, limit, out)
