"""`mlspec forecast`: the newest forecast."""

from __future__ import annotations

import click

from mlspec.cli import options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report
from mlspec.cli.target import open_here
from mlspec.engine.rows import checked_facts, load_rows
from mlspec.plan.series_fates import fate_sentences


@click.command(short_help="Print the newest forecast, or an earlier one.")
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
    """Print the newest forecast: series, time, cutoff, mean, a column a quantile, version."""
    opened = open_here(target)
    facts = checked_facts(opened, name)
    printed = rows.pick_series(name, load_rows(opened, name, "forecast", cutoff), series, facts)
    rows.print_rows(name, printed, output, limit)
    if not opened.observe_forecast(name).resources:
        report(f"{name} was destroyed: this is the last forecast that was made before", "WARNING")
    if output == "text" and facts.get("timezone"):
        report(f"{name}: days and hours are those of {facts['timezone']}")
    for sentence in () if series or cutoff else fate_sentences(facts):
        report(f"{name}: {sentence}")
