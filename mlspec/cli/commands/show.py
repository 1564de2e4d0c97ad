"""`mlspec show`: the resolved specs, and where each value came from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import yaml

from mlspec.cli import options
from mlspec.cli.escape import printable
from mlspec.cli.project import open_specs
from mlspec.spec import ResolvedSpec

_WIDEST = 72


@click.command(short_help="Show the resolved specs, and where each value came from.")
@options.paths
@options.target
@options.output("text", "json")
def command(paths: tuple[Path, ...], target: str, output: str) -> None:
    """Show specs resolved for a target: defaults, mlspec.yaml and overrides merged, each value with its origin.

    The text is a valid spec: a field without value or default is left out. In JSON it is null.
    """
    specs = open_specs(paths, target).specs
    if output == "json":
        value = [
            {"name": spec.name, "spec_hash": spec.spec_hash, "spec": spec.json, "origins": spec.origins}
            for spec in specs
        ]
        click.echo(json.dumps({"target": target, "forecasts": value}, indent=2))
        return
    click.echo("\n---\n".join("\n".join(_spec_lines(spec)) for spec in specs))


def _spec_lines(spec: ResolvedSpec) -> Iterator[str]:
    pairs = list(_mapping_lines(spec.json, "", ""))
    width = min(max(len(text) for text, _ in pairs), _WIDEST)
    origins = spec.origins
    for text, path in pairs:
        origin = origins.get(path)
        yield printable(f"{text.ljust(width)}  # {origin}" if origin else text).replace("\n", "\\n")


def _mapping_lines(value: dict[str, Any], path: str, indent: str) -> Iterator[tuple[str, str]]:
    """Yield (line of YAML, dotted path) for every value; a mapping's own line has no path."""
    for key, inner in value.items():
        if inner is None:
            continue
        below = f"{path}.{key}" if path else str(key)
        head = f"{indent}{_flow_text(key)}:"
        if isinstance(inner, dict) and inner:
            inside = list(_mapping_lines(inner, below, f"{indent}  "))
            yield from (
                [(head, ""), *inside] if inside else []
            )  # an empty mapping in block style would be read as null
        elif isinstance(inner, list) and any(isinstance(entry, dict) for entry in inner):
            yield head, ""
            for index, entry in enumerate(inner):
                yield from _entry_lines(entry, f"{below}[{index}]", f"{indent}  ")
        else:
            yield f"{head} {_flow_text(inner)}", below


def _entry_lines(value: dict[str, Any], path: str, indent: str) -> Iterator[tuple[str, str]]:
    first, *other_lines = _mapping_lines(value, path, f"{indent}  ")
    yield f"{indent}- {first[0].lstrip()}", first[1]
    yield from other_lines


def _flow_text(value: Any) -> str:
    """Return a value in YAML's flow style, on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=True)
    return text.removesuffix("\n...\n").strip()
