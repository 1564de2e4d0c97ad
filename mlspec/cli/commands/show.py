"""`mlspec show`: the resolved specs, and where each value came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml

from mlspec.cli import options
from mlspec.cli.project import open_specs
from mlspec.spec import Resolved


@click.command(short_help="Show the resolved specs, and where each value came from.")
@options.paths
@options.target
@options.output("text", "json")
def command(paths: tuple[Path, ...], target: str, output: str) -> None:
    """Show specs as a target has them: defaults, mlspec.yaml and overrides merged, each value with its origin."""
    specs = open_specs(paths, target).specs
    if output == "json":
        value = [
            {"name": spec.name, "spec_hash": spec.spec_hash, "spec": spec.json, "origins": spec.origins}
            for spec in specs
        ]
        click.echo(json.dumps({"target": target, "forecasts": value}, indent=2))
        return
    click.echo("\n---\n".join("\n".join(_lines(spec)) for spec in specs))


def _lines(spec: Resolved) -> list[str]:
    pairs = list(_walk(spec.json, "", ""))
    width = min(max(len(text) for text, _ in pairs), 72)
    origins = spec.origins
    return [f"{text.ljust(width)}  # {origins[path]}" if path in origins else text for text, path in pairs]


def _walk(value: Any, path: str, indent: str) -> list[tuple[str, str]]:
    """Return (line of YAML, dotted path) for every value; a mapping's own line has no path of its own."""
    lines: list[tuple[str, str]] = []
    for key, inner in value.items():
        below = f"{path}.{key}" if path else str(key)
        head = f"{indent}{_scalar(key)}:"
        if isinstance(inner, dict) and inner:
            lines += [(head, ""), *_walk(inner, below, f"{indent}  ")]
        elif isinstance(inner, list) and inner and all(isinstance(each, dict) for each in inner):
            lines.append((head, ""))
            for index, each in enumerate(inner):
                first, *rest = _walk(each, f"{below}[{index}]", f"{indent}    ")
                lines += [(f"{indent}  - {first[0].lstrip()}", first[1]), *rest]
        else:
            lines.append((f"{head} {_scalar(inner)}", below))
    return lines


def _scalar(value: Any) -> str:
    """Return a value in YAML's flow style, on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, allow_unicode=False)
    return text.removesuffix("\n...\n").strip()
