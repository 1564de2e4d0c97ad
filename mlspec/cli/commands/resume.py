"""`mlspec resume`: ends a hold."""

from __future__ import annotations

import click

from mlspec.cli import options
from mlspec.cli.escape import printable
from mlspec.cli.manual_operations import current_user, open_applied
from mlspec.engine import manual_operations


@click.command(short_help="End a hold, so that the loop continues.")
@click.argument("name")
@options.target
@click.option("--forgive", metavar="VERSION", help="Take this version out of quarantine, so that it may serve again.")
def command(name: str, target: str, forgive: str | None) -> None:
    """End a hold, and retry failed work. A version in quarantine stays there, except the one of --forgive."""
    click.echo(
        f"{name}: {printable(manual_operations.resume_forecast(open_applied(name, target), name, current_user(), forgive))}"
    )
