"""`mlspec doctor`: checks what this machine and a target need."""

from __future__ import annotations

import os

import click

from mlspec.cli import options
from mlspec.cli.doctor_text import as_json, as_text
from mlspec.cli.project import find_root, load_default_specs, open_specs
from mlspec.engine.doctor import run_checks
from mlspec.errors import Exit


@click.command(short_help="Check what this machine and a target need, and how to fix what is missing.")
@options.target
@options.output("text", "json")
def command(target: str, output: str) -> int:
    """Check what this machine and a target need. Each missing item is shown with the command that fixes it. Changes nothing.

    Exits with 3 unless everything is there; an item that could not be checked counts as missing.
    """
    root = find_root()
    loaded = load_default_specs(root, target)
    if target != "local" and not (loaded.project and target in loaded.project.targets):
        open_specs(options.DEFAULT_PATHS, target)  # raises an error if the name or mlspec.yaml is wrong
    findings = list(run_checks(loaded, root, target, os.environ))
    click.echo(as_json(findings, target) if output == "json" else as_text(findings))
    return Exit.DONE if all(finding.status == "ok" for finding in findings) else Exit.NOT_WELL
