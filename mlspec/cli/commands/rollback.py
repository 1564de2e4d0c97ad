"""`mlspec rollback`: moves a forecast to an earlier good release by hand."""

from __future__ import annotations

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.manual_operations import current_user, open_applied_spec
from mlspec.cli.progress import Progress
from mlspec.engine import manual_operations


@click.command(short_help="Move a forecast to an earlier good release, and hold it there.")
@click.argument("name", shell_complete=complete_names)
@options.target
@click.option(
    "--to",
    callback=options.parse_release,
    metavar="R",
    help="The release, 1 or r1; the newest good one before, if left out.",
)
@options.reason
@options.lock_timeout
def command(name: str, target: str, to: int | None, reason: str, lock_timeout: float) -> None:
    """Move a forecast to an earlier good release now, make the forecast with it, and hold it there.

    The version that served goes into quarantine: the loop never promotes it again. The hold ends with `mlspec resume`, or when
    the spec changes.
    """
    with Progress() as progress:
        engine, spec = open_applied_spec(name, target, progress)
        sentence = manual_operations.roll_back(engine, spec, to, current_user(), reason, lock_timeout)
    click.echo(f"{name}: {printable(sentence)}")
