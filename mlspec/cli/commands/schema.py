"""`mlspec schema`: the JSON Schema of the spec language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mlspec.errors import SpecError


@click.command(short_help="Print the JSON Schema of the spec language.")
@click.option(
    "--kind",
    type=click.Choice(["forecast", "project", "any"]),
    default="forecast",
    show_default=True,
    help="The kind of document.",
)
@click.option(
    "--check",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Print nothing, and fail unless FILE holds this schema.",
)
def command(kind: str, file: Path | None) -> None:
    """Print the JSON Schema (2020-12) of the spec language.

    Editors read it: `mlspec schema --kind any > mlspec.schema.json`, and in a spec's first line
    `# yaml-language-server: $schema=../mlspec.schema.json`.
    """
    from mlspec.spec.schema import json_schema

    schema = json_schema(kind)
    if file is None:
        click.echo(json.dumps(schema, indent=2))
    else:
        _check_schema(file, schema, f"mlspec schema --kind {kind} > {file}")


def _check_schema(file: Path, schema: Any, remedy: str) -> None:
    """Raise SpecError unless a file holds this schema, in any layout. `remedy` is the command that writes it."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError(f"cannot read {file}: {error.strerror}", hint=f"write it: {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"{file} is not JSON", hint=f"write it again: {remedy}") from error
    if value != schema:
        raise SpecError(f"{file} is the schema of another mlspec, or was edited", hint=f"write it again: {remedy}")
