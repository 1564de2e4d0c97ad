"""`mlspec reconcile`: the loop."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.escape import printable, say_error
from mlspec.cli.faults import as_text as faults_text
from mlspec.cli.planning import looked_at
from mlspec.cli.progress import Progress
from mlspec.cli.target import timestamp
from mlspec.engine.context import Engine
from mlspec.engine.loop import exit_code, reconcile
from mlspec.engine.reconcile import Pass
from mlspec.errors import Exit, MlspecError, Refused, Terminated


@click.command(short_help="Keep it so: the loop that watches, retrains, rolls out and rolls back.")
@options.paths
@options.target
@options.output("text", "json")
@options.select
@options.yes
@options.lock_timeout
@click.option("--once", is_flag=True, help="One pass, then end; for cron, a scheduler or a DAG.")
@click.option(
    "--interval", default="60s", show_default=True, metavar="DURATION", callback=lambda _c, _p, value: options.seconds(value),
    help="How long to wait between two passes.",
)  # fmt: skip
def command(
    paths: tuple[Path, ...], target: str, output: str, select: tuple[str, ...], yes: bool, lock_timeout: float, once: bool,
    interval: float,
) -> int:  # fmt: skip
    """Keep it so: check new data, forecast when due, judge by the alerts, retrain, roll out, roll back; then again.

    Specs are read anew for each pass, so a commit that is pulled is picked up. SIGTERM ends the loop; what it was doing is
    recorded, and the next run goes on from there. With --output json each pass is one line.
    """
    said: dict[str, str] = {}
    try:
        while True:
            code = _pass(paths, target, output, select, lock_timeout, said, yes=yes)
            if once:
                return code
            time.sleep(interval)
    except Terminated:
        if once:
            raise
        click.echo("mlspec reconcile: ended by SIGTERM between two steps", err=True)
        return Exit.DONE


def _pass(
    paths: Sequence[Path], target: str, output: str, select: tuple[str, ...], lock_timeout: float, said: dict[str, str], *,
    yes: bool,
) -> int:  # fmt: skip
    """Make one pass over the specs as they are now. `said` holds what was said last of each forecast, so that it is said once."""
    with Progress() as progress:
        found = looked_at(paths, target, select, progress)
        if found.engine.target.protect and not yes:
            raise Refused(f"target '{target}' is protected", hint="add --yes to let the loop act on it")
        passes = reconcile(found.engine, found.specs, lock_timeout)
    _deliver(found.engine)
    if found.faults:
        click.echo(faults_text(found.faults), err=True)
    if output == "json":
        click.echo(json.dumps({"at": timestamp(), "forecasts": [_as_json(each) for each in passes]}, allow_nan=False))
    else:
        for each in passes:
            _say(each, said)
    worst = exit_code(passes)
    return max(worst, Exit.FAILED) if found.faults and worst in (Exit.DONE, Exit.NOT_WELL) else worst


def _deliver(engine: Engine) -> None:
    """Send what is due. A receiver that does not answer is told again by a later pass, and holds up nothing."""


def _say(each: Pass, said: dict[str, str]) -> None:
    """Say what one pass did, and what waits where that is news."""
    for line in each.did:
        click.echo(f"{timestamp()}  {each.forecast}: {printable(line)}")
    waits = "; ".join([*each.waits, *(f"observed, not done: {line}" for line in each.reported)])
    if each.error:
        waits = f"{each.error.message} {waits}"
    if waits and said.get(each.forecast) != waits:
        if each.error:
            say_error(MlspecError(f"{each.forecast}: {each.error.message}", hint=each.error.hint))
        else:
            click.echo(f"{timestamp()}  {each.forecast}: {printable(waits)}")
    elif not each.did and each.forecast not in said:
        click.echo(f"{timestamp()}  {each.forecast}: {'paused' if each.paused else 'is as it shall be'}")
    said[each.forecast] = waits


def _as_json(each: Pass) -> dict[str, Any]:
    return {
        "name": each.forecast,
        "status": each.status,
        "did": each.did,
        "waits": each.waits,
        "observed": each.reported,
        "error": {"message": each.error.message, "hint": each.error.hint} if each.error else None,
    }
