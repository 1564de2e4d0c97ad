"""`mlspec explain`: what a field of a spec means."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from mlspec.cli import options
from mlspec.errors import UsageError


@click.command(short_help="Say what a field of a spec means.")
@click.argument("field", default="")
@options.output("text", "json")
def command(field: str, output: str) -> None:
    """Say what a field of a spec means: its type, default, limits and an example.

    FIELD is a dotted path: rollback.cooldown, alerts.metric, model.candidates.gradient-boosting.lags. Left out, the
    top of the language is shown.
    """
    from mlspec.spec.explain import Explanation, explain, near

    found: Explanation | None = explain(field)
    if found is None:
        meant = near(field)
        raise UsageError(
            f"there is no field '{field}'",
            hint=f"did you mean '{meant}'?" if meant else "`mlspec explain` lists the top",
        )
    if output == "json":
        click.echo(json.dumps(asdict(found), indent=2))
        return
    click.echo(click.style(found.path or "a forecast's spec", bold=True))
    click.echo(f"  {found.description}")
    words = "required" if found.required else f"default: {found.default}" if found.default is not None else "optional"
    if found.path:
        click.echo(f"  {found.type}; {words}")
    for example in found.examples:
        click.echo(f"  example: {example}")
    if found.below:
        width = max(map(len, found.below))
        click.echo("")
        for key, sentence in found.below.items():
            click.echo(f"  {key.ljust(width)}  {sentence}")
