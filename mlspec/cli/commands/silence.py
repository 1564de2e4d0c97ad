"""`mlspec silence`: mutes an alert."""

from __future__ import annotations

from datetime import timedelta

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.manual_operations import open_applied, require_alert
from mlspec.engine import manual_operations
from mlspec.errors import UsageError
from mlspec.targets.user import current_user


@click.command(short_help="Mute an alert for a while.")
@click.argument("name", shell_complete=complete_names)
@click.argument("alert")
@options.target
@click.option(
    "--for", "span", required=True, metavar="DURATION", callback=lambda _c, _p, value: options.parse_seconds(value),
    help="How long: 30m, 2d.",
)  # fmt: skip
@options.reason
@options.lock_timeout
def command(name: str, alert: str, target: str, span: float, reason: str, lock_timeout: float) -> None:
    """Mute an alert: until the time is over, no notices are sent and the loop does not act on it."""
    if span <= 0:
        raise UsageError("--for has to be longer than 0", hint="such as --for 2d")
    engine = open_applied(name, target)
    require_alert(engine, name, alert)
    message = manual_operations.silence_alert(
        engine, name, alert=alert, span=timedelta(seconds=span), by=current_user(), reason=reason, lock_timeout=lock_timeout
    )  # fmt: skip
    click.echo(f"{name}: {printable(message)}")
