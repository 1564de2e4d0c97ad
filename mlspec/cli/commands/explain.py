"""`mlspec explain`: what a field of a spec means."""

from __future__ import annotations

import json
from dataclasses import asdict
from textwrap import indent
from typing import TYPE_CHECKING

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_fields
from mlspec.errors import UsageError

if TYPE_CHECKING:
    from mlspec.spec.explain import Explanation


@click.command(short_help="Explain a field of a spec.")
@click.argument("field", default="", metavar="[FIELD]", shell_complete=complete_fields)
@click.option(
    "--kind",
    type=click.Choice(["forecast", "project"]),
    default="forecast",
    show_default=True,
    help="The kind of document.",
)
@options.output("text", "json")
def command(field: str, kind: str, output: str) -> None:
    """Explain a field of a spec: its type, default, limits and an example.

    FIELD is a dotted path: rollback.cooldown, alerts.metric, model.candidates.gradient-boosting.lags, or one that `validate`
    printed: alerts[0].metric. If it is left out, the top-level fields are shown.
    """
    from mlspec.spec.explain import explain_field, nearest_path

    explanation = explain_field(field, kind)
    if explanation is None:
        meant = nearest_path(field, kind)
        hint = f"did you mean '{meant}'?" if meant else "`mlspec explain` lists the top"
        raise UsageError(f"there is no field '{field}'", hint=hint)
    click.echo(json.dumps(asdict(explanation), indent=2) if output == "json" else _explanation_text(explanation, kind))


def _explanation_text(explanation: Explanation, kind: str) -> str:
    requirement = (
        "required"
        if explanation.required
        else "optional"
        if explanation.default is None
        else f"default: {explanation.default}"
    )
    blocks = [
        f"{click.style(explanation.path or f'kind: {kind.capitalize()}', bold=True)}\n  {explanation.description}"
    ]
    if explanation.path:
        blocks[0] += f"\n  {explanation.type}; {requirement}"
        blocks += [f"  example:\n{indent(explanation.example, '    ')}"] if explanation.example else []
    if explanation.below:
        width = max(map(len, explanation.below))
        blocks.append("\n".join(f"  {key.ljust(width)}  {sentence}" for key, sentence in explanation.below.items()))
    return "\n\n".join(blocks)
