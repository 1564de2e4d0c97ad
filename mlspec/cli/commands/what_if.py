"""`mlspec what-if`: the forecast with other promotions or prices, beside the forecast with the plan as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mlspec.cli import comparison_text, options, rows
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report
from mlspec.cli.output_file import write_output
from mlspec.cli.project import find_root
from mlspec.cli.target import open_here
from mlspec.engine.what_if import WhatIfComparison, compare_what_if
from mlspec.state.assumptions import Assumptions
from mlspec.state.step import StepRequest


@click.command(short_help="Forecast with other promotions or prices, beside the plan as it is.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.output("text", "json", "csv", "parquet", "xlsx")
@options.out_file
@click.option(
    "--set", "values", multiple=True, metavar="COLUMN=VALUE", callback=lambda _c, given, pairs: options.parse_pairs(given, pairs),
    help="A known covariate's value: a number, a text of the history, or a share to add (-10%). Can be given more than once.",
)  # fmt: skip
@click.option("--from", "first", metavar="DATE", help="From this period on.  [default: the first of the forecast]")
@click.option("--to", "last", metavar="DATE", help="Up to this period.  [default: the last of the forecast]")
@options.series
@options.series_limit
def command(
    name: str, target: str, output: str, out: Path | None, values: dict[str, str], first: str | None, last: str | None,
    series: dict[str, str], limit: int,
) -> None:  # fmt: skip
    """Forecast with changed values of known covariates (promotions, prices), by the versions that serve, from the newest data.

    Nothing is recorded, and the plan in dataset.future stays as it is. Sums over all periods of the forecast: in total, and by
    series, those that moved most first. The other forms have a row for each series and period.

    mlspec what-if demand --set promo=1 --from 2026-12-07 --to 2026-12-13 --series store=1
    """
    found = compare_what_if(open_here(target), name, find_root(), Assumptions(values, series, first, last), _forecast)
    if output == "json":
        text = json.dumps(_as_json(name, found, values), indent=2, allow_nan=False)
        if out is None:
            click.echo(text)
        else:
            write_output(out, f"{text}\n")
    elif output == "text" and out is None:
        click.echo(_as_text(name, found, values, limit or None))
    else:
        rows.print_rows(name, found.rows, output, limit, out)
    for note in found.notes:
        report(f"{name}: {note}")


def _forecast(request: StepRequest, assumed: Assumptions) -> Any:
    from mlspec import jobs

    return jobs.forecast_what_if(request, assumed)


def _as_text(name: str, found: WhatIfComparison, values: dict[str, str], limit: int | None) -> str:
    periods = found.changes.periods
    assumed = ", ".join(f"{column}={value}" for column, value in values.items())
    lines = [
        f"{name}: from {found.cutoff}, if {assumed}",
        f"sums over {len(periods):,} period{'s' if len(periods) > 1 else ''}, {periods[0]} to {periods[-1]}",
    ]
    return "\n".join([*lines, *comparison_text.table_lines(found.series, found.changes, limit)])


def _as_json(name: str, found: WhatIfComparison, values: dict[str, str]) -> dict[str, object]:
    return {
        "forecast": name, "cutoff": found.cutoff, "assumed": values, "periods": list(found.changes.periods),
        **comparison_text.changes_json(found.series, found.changes), "notes": list(found.notes),
    }  # fmt: skip
