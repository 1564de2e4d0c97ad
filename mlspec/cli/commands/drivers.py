"""`mlspec drivers`: what each covariate is worth to the model that serves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlspec.cli import options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report
from mlspec.cli.project import find_root
from mlspec.cli.table import format_percent, format_table
from mlspec.cli.target import open_here
from mlspec.engine.importance import SIDES, Drivers, find_drivers
from mlspec.spec.metrics import MAIN
from mlspec.state.step import Progress, StepRequest


@click.command(short_help="Show what each covariate is worth to the model that serves.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json", "csv", "parquet", "xlsx")
@options.out_file
@click.option("--by", metavar="COLUMN", help="Rows for each value of this series column or static covariate.")
def command(name: str, target: str, output: str, out: Path | None, by: str | None) -> None:
    """Show how much larger the errors of the backtest are once a covariate tells nothing: its values are put in random order.

    The model that serves is fitted again at the cutoffs of the backtest, with the newest data, which takes about as long as its
    backtest did. Its means count, before any correction. Of a panel in several parts (more than 2,500,000 periods), the series
    of one part are measured, which is said. Nothing is recorded.
    """
    found = find_drivers(
        open_here(target), name, find_root(), _measure, lambda _done, _total, step: report(f"{name}: {step}"), by
    )
    if note := found.note():
        report(f"{name}: {note}")
    if output == "text" and out is None:
        click.echo(_as_text(name, found))
    else:
        rows.print_rows(name, found.rows, output, 0, out)


def _measure(request: StepRequest, progress: Progress) -> Any:
    from mlspec import jobs

    return jobs.measure_importance(request, progress)


def _as_text(name: str, found: Drivers) -> str:
    """Return a table with the error without each covariate, or that the forecast has none."""
    error = "" if found.metric is None else f", {MAIN.title} {format_percent(found.metric)}"
    head = f"{name}: {found.candidate} ({found.version}){error} at the cutoffs of its backtest"
    if not found.rows.values:
        return f"{head}\nits own history alone drives it: the spec names no covariates (dataset.covariates)"
    keys = found.rows.columns[: found.rows.columns.index("kind") + 1]
    places = [found.rows.columns.index(f"{side}{MAIN.name}") for side in SIDES]
    cells = []
    for row in found.rows.values:
        base, without = (row[place] or 0.0 for place in places)
        cells.append([*row[: len(keys)], *map(format_percent, (base, without, without - base))])
    return f"{head}\n{format_table([*keys, MAIN.title, f'{MAIN.title} without it', 'change'], cells)}"
