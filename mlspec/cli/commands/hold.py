"""`mlspec hold`: keeps the release that serves."""

from __future__ import annotations

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.manual_operations import open_applied_spec
from mlspec.engine import manual_operations
from mlspec.engine.assembly import ignore_progress
from mlspec.targets.user import current_user


@click.command(short_help="Keep the release that serves, until a person resumes.")
@click.argument("name", shell_complete=complete_names)
@options.target
@options.reason
@options.lock_timeout
def command(name: str, target: str, reason: str, lock_timeout: float) -> None:
    """Hold the release that serves: nothing newer takes over, and no alert moves traffic. Forecasts are made as before.

    The hold ends with `mlspec resume`, or when the spec changes. A rollout under way is not held: `mlspec rollback` ends it.
    """
    engine, spec = open_applied_spec(name, target, ignore_progress)
    sentence = manual_operations.hold_forecast(engine, spec, current_user(), reason, lock_timeout)
    click.echo(f"{name}: {printable(sentence)}")
