"""`mlspec inventory`: the stock levels that follow from the newest forecast."""

from __future__ import annotations

import click

from mlspec.cli import options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.target import open_here
from mlspec.engine.rows import checked_facts, load_rows


@click.command(short_help="Print safety stock, reorder point and order-up-to level.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json", "csv")
@click.option(
    "--series",
    multiple=True,
    callback=rows.parse_pairs,
    metavar="COLUMN=VALUE",
    help="Only this series. Can be given more than once.",
)
@options.cutoff
@click.option("--limit", type=click.IntRange(min=0), default=24, show_default=True, help="Rows in text; 0 prints all.")
def command(name: str, target: str, output: str, series: dict[str, str], limit: int, cutoff: str | None) -> None:
    """Print the stock levels of each series, computed from the forecast: safety stock, reorder point, order-up-to level."""
    opened = open_here(target)
    levels = load_rows(opened, name, "inventory", cutoff)
    rows.print_rows(name, rows.pick_series(name, levels, series, checked_facts(opened, name)), output, limit)
