"""`mlspec forecast`: the newest forecast, an earlier one, or what changed from one to another."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import comparison_text, options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report
from mlspec.cli.target import open_here
from mlspec.engine.forecast_comparison import PREVIOUS, compare_runs, find_compared_run
from mlspec.engine.level_rows import WEEK, load_level_rows
from mlspec.engine.rows import checked_facts, choose_run
from mlspec.errors import UsageError
from mlspec.plan.series_fates import fate_sentences


@click.command(short_help="Print the newest forecast, an earlier one, or what changed.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json", "csv", "parquet", "xlsx")
@options.out_file
@options.series
@options.cutoff
@click.option(
    "--release", metavar="R", callback=options.parse_release, help="The last forecast that this release made: 1 or r1."
)
@click.option(
    "--compare",
    metavar="PREV",
    help=f"What changed, by series, since another forecast: {PREVIOUS}, a cutoff, or a release (r1).",
)
@click.option(
    "--level",
    metavar="LEVEL",
    help="Sums of series instead: total, a column of dataset.hierarchy, or all for a table of all levels.",
)
@click.option("--by", type=click.Choice([WEEK]), help="Sums by week, of a forecast of days.")
@options.rows_limit
def command(
    name: str, target: str, output: str, out: Path | None, series: dict[str, str], cutoff: str | None, release: int | None,
    compare: str | None, level: str | None, by: str | None, limit: int,
) -> None:  # fmt: skip
    """Print the newest forecast: series, time, cutoff, mean, a column a quantile, version.

    With --compare, the sums over the periods that both forecasts have: in total, and by series, those that moved most first.

    With --level or --by, sums of series, of weeks or of both, with quantiles of their own. `days` says how many days of a week the
    horizon has.
    """
    if cutoff and release:
        raise UsageError("--cutoff and --release each name a forecast", hint="leave one of them out")
    if compare is not None and (level or by):
        raise UsageError("--compare is by series", hint="leave --level and --by out")
    opened = open_here(target)
    run = choose_run(opened, name, cutoff=cutoff, release=release)
    if compare is not None:
        found = compare_runs(opened, name, find_compared_run(opened, name, compare, run), run, series)
        comparison_text.print_comparison(name, found, output, limit, out)
        return
    facts = checked_facts(opened, name)
    printed = rows.pick_series(name, load_level_rows(opened, name, run, level=level, by=by), series, facts)
    rows.print_rows(name, printed, output, limit, out)
    if not opened.observe_forecast(name).resources:
        report(f"{name} was destroyed: this is the last forecast that was made before", "WARNING")
    if output == "text" and facts.get("timezone"):
        report(f"{name}: days and hours are those of {facts['timezone']}")
    for sentence in () if series or cutoff or release else fate_sentences(facts):
        report(f"{name}: {sentence}")
