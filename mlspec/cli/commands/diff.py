"""`mlspec diff`: two releases, field by field."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from mlspec.cli import comparison_text, options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.target import open_here
from mlspec.engine.release_comparison import compare_release_forecasts, diff_releases, find_release
from mlspec.plan.select import recorded_name
from mlspec.state.resource import field_text


@click.command(short_help="Compare two releases field by field.")
@click.argument("name", shell_complete=complete_names)
@click.argument("first", metavar="R1")
@click.argument("second", metavar="R2")
@options.target
@options.output("text", "json")
@click.option("--values", is_flag=True, help="Compare also the last forecasts that the two releases made, by series.")
@options.series_limit
def command(
    name: str, first: str, second: str, target: str, output: str, values: bool, limit: int
) -> None:  # fmt: skip
    """Compare two releases of a forecast: the differences of their specs, and the version that served under each.

    R1 and R2 are numbers of releases, as `mlspec history` shows them: 1 or r1. With --values also their forecasts: the sums over
    the periods that both have.
    """
    opened_target = open_here(target)
    recorded_name(name, opened_target.forecast_names())
    old, new = (find_release(opened_target, name, text) for text in (first, second))
    compared = compare_release_forecasts(opened_target, name, old, new) if values else None
    changed = diff_releases(opened_target, name, old, new)
    if output == "json":
        fields = [{key: value for key, value in asdict(change).items() if key != "effect"} for change in changed]
        found = {"forecast": name, "from": old.release, "to": new.release, "fields": fields}
        found |= {"values": comparison_text.as_json(name, compared)} if compared else {}
        click.echo(json.dumps(found, indent=2, allow_nan=False))
        return
    click.echo(f"{name}: r{old.release} ({old.created}) -> r{new.release} ({new.created})")
    for change in changed:
        click.echo(f"  {printable(change.field)}: {_value_text(change.before)} -> {_value_text(change.after)}")
    if not changed:
        click.echo("  no differences")
    if compared:
        click.echo(f"\n{comparison_text.as_text(name, compared, limit or None)}")


def _value_text(value: object) -> str:
    return "(not set)" if value is None else printable(field_text(value))
