"""`mlspec resume`: ends a hold."""

from __future__ import annotations

from typing import Literal

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.manual_operations import open_applied
from mlspec.engine import manual_operations
from mlspec.errors import UsageError
from mlspec.targets.user import current_user


@click.command(short_help="End a hold, so that the loop continues.")
@click.argument("name", shell_complete=complete_names)
@options.target
@click.option("--forgive", metavar="VERSION", help="Take this version out of quarantine, so that it may serve again.")
@click.option(
    "--notices", type=click.Choice(["send", "discard"]),
    help="Send the notices that were given up again, or discard them. Nothing else is resumed.",
)  # fmt: skip
@options.lock_timeout
def command(
    name: str, target: str, forgive: str | None, notices: Literal["send", "discard"] | None, lock_timeout: float
) -> None:
    """End a hold, and retry failed work. A version in quarantine stays there, except the one of --forgive."""
    if notices and forgive:
        raise UsageError("--notices resumes nothing else", hint="call it a second time with --forgive")
    engine, user = open_applied(name, target), current_user()
    message = (
        manual_operations.settle_notices(engine, name, user, notices, lock_timeout)
        if notices
        else manual_operations.resume_forecast(engine, name, user, forgive, lock_timeout)
    )
    click.echo(f"{name}: {printable(message)}")
