"""`mlspec explain`: what a field of a spec means."""

from __future__ import annotations

import json
from dataclasses import asdict
from textwrap import indent
from typing import TYPE_CHECKING

import click

from mlspec.cli import options
from mlspec.errors import UsageError

if TYPE_CHECKING:
    from mlspec.spec.explain import Explanation


@click.command(short_help="Say what a field of a spec means.")
@click.argument("field", default="", metavar="[FIELD]")
@click.option(
    "--kind",
    type=click.Choice(["forecast", "project"]),
    default="forecast",
    show_default=True,
    help="Of which document.",
)
@options.output("text", "json")
def command(field: str, kind: str, output: str) -> None:
    """Say what a field of a spec means: its type, default, limits and an example.

    FIELD is a dotted path: rollback.cooldown, alerts.metric, model.candidates.gradient-boosting.lags, or one that `validate`
    printed: alerts[0].metric. Left out, the top of the language is shown.
    """
    from mlspec.spec.explain import explain, near

    found = explain(field, kind)
    if found is None:
        meant = near(field, kind)
        hint = f"did you mean '{meant}'?" if meant else "`mlspec explain` lists the top"
        raise UsageError(f"there is no field '{field}'", hint=hint)
    click.echo(json.dumps(asdict(found), indent=2) if output == "json" else _text(found, kind))


def _text(found: Explanation, kind: str) -> str:
    said = "required" if found.required else "optional" if found.default is None else f"default: {found.default}"
    blocks = [f"{click.style(found.path or f'kind: {kind.capitalize()}', bold=True)}\n  {found.description}"]
    if found.path:
        blocks[0] += f"\n  {found.type}; {said}"
        blocks += [f"  example:\n{indent(found.example, '    ')}"] if found.example else []
    if found.below:
        width = max(map(len, found.below))
        blocks.append("\n".join(f"  {key.ljust(width)}  {sentence}" for key, sentence in found.below.items()))
    return "\n\n".join(blocks)
