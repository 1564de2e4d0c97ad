"""`mlspec schema`: the JSON Schema of the spec language."""

from __future__ import annotations

import json

import click


@click.command(short_help="Print the JSON Schema of the spec language.")
@click.option(
    "--kind",
    type=click.Choice(["forecast", "project", "any"]),
    default="forecast",
    show_default=True,
    help="The kind of document.",
)
def command(kind: str) -> None:
    """Print the JSON Schema (2020-12) of the spec language.

    Editors read it: `mlspec schema --kind any > mlspec.schema.json`, and in a spec's first line
    `# yaml-language-server: $schema=../mlspec.schema.json`.
    """
    from mlspec.spec.schema import json_schema

    click.echo(json.dumps(json_schema(kind), indent=2))
