"""`mlspec reconcile`: the loop."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.escape import printable
from mlspec.cli.faults import as_text as faults_text
from mlspec.cli.messages import report, say_error
from mlspec.cli.planning import looked_at
from mlspec.cli.progress import Progress
from mlspec.cli.senders import senders
from mlspec.cli.target import Opened, timestamp
from mlspec.engine.deliver import deliver
from mlspec.engine.loop import exit_code, reconcile
from mlspec.engine.one_pass import Pass
from mlspec.errors import Exit, MlspecError, Refused, Terminated
from mlspec.log_context import forecast_scope


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
@click.option(
    "--jobs", type=click.IntRange(min=1), default=min(os.cpu_count() or 1, 4), show_default="the processors, 4 at most",
    help="Forecasts that are worked on at once.",
)  # fmt: skip
def command(
    paths: tuple[Path, ...], target: str, output: str, select: tuple[str, ...], yes: bool, lock_timeout: float, once: bool,
    interval: float, jobs: int,
) -> int:  # fmt: skip
    """Keep it so: check new data, forecast when due, judge by the alerts, retrain, roll out, roll back; then again.

    Specs are read anew for each pass, so a commit that is pulled is picked up. SIGTERM or Ctrl-C ends the loop; what it was
    doing is recorded, and the next run goes on from there. With --output json each pass is one line.
    """
    said: dict[str, str] = {}
    try:
        while True:
            code = _pass(_Call(paths, target, output, select, lock_timeout, jobs, yes), said)
            if once:
                return code
            time.sleep(interval)
    except (KeyboardInterrupt, Terminated) as stopped:
        if once:
            raise
        name = "SIGTERM" if isinstance(stopped, Terminated) else "SIGINT"
        report(f"mlspec reconcile: ended by {name} between two passes")
        return Exit.DONE


@dataclass(frozen=True)
class _Call:
    """What the loop was called with."""

    paths: Sequence[Path]
    target: str
    output: str
    select: tuple[str, ...]
    lock_timeout: float
    jobs: int
    yes: bool


def _pass(call: _Call, said: dict[str, str]) -> int:
    """Make one pass over the specs as they are now. `said` holds what was said last of each forecast, so that it is said once."""
    with Progress() as progress:
        found = looked_at(call.paths, call.target, call.select, progress)
        if found.engine.target.protect and not call.yes:
            raise Refused(f"target '{call.target}' is protected", hint="add --yes to let the loop act on it")
        passes = reconcile(found.engine, found.specs, call.lock_timeout, call.jobs if found.target.forks else 1)
    _deliver(found.target)
    if found.faults:
        report(faults_text(found.faults), "ERROR")
    if call.output == "json":
        click.echo(json.dumps({"at": timestamp(), "forecasts": [_as_json(each) for each in passes]}, allow_nan=False))
    else:
        _say(passes, said)
    worst = exit_code(passes)
    return max(worst, Exit.FAILED) if found.faults and worst in (Exit.DONE, Exit.NOT_WELL) else worst


def _deliver(target: Opened) -> None:
    """Send what is due. A receiver that does not answer is told again by a later pass, and holds up nothing."""
    try:
        attempts = deliver(target, senders(target.secret, timestamp, target.project), timestamp)
    except MlspecError as error:  # what the pass did is said all the same
        say_error(error)
        return
    for each in attempts:
        notice, pending = each.pending.notice, each.pending
        if not each.problem:
            click.echo(f"{timestamp()}  {notice.forecast}: told {pending.receiver}: {printable(notice.message)}")
            continue
        then = f"is tried again at {pending.next_at}" if pending.next_at else "is given up"
        report(
            f"{notice.forecast}: {pending.receiver} was not told: {each.problem}; it {then}",
            "WARNING",
            forecast=notice.forecast,
            at=timestamp(),
        )


def _say(passes: Sequence[Pass], said: dict[str, str]) -> None:
    """Say what became of alerts, what one pass did, and what waits where that is news; on the first one, how many are well."""
    calm = 0
    for each in passes:
        for line in (*each.heard, *each.did):
            click.echo(f"{timestamp()}  {each.forecast}: {printable(line)}")
        waits = _waits(each)
        if waits and said.get(each.forecast) != waits:
            if each.error:
                with forecast_scope(each.forecast):
                    say_error(type(each.error)(f"{each.forecast}: {each.error.message}", hint=each.error.hint))
            else:
                click.echo(f"{timestamp()}  {each.forecast}: {printable(waits)}")
        calm += not waits and not each.did and not each.heard and each.forecast not in said
        said[each.forecast] = waits
    if calm:
        are = (
            f"{calm} forecasts are as they"
            if calm > 1
            else f"{passes[0].forecast if len(passes) == 1 else '1 forecast'} is as it"
        )
        click.echo(f"{timestamp()}  {are} shall be")


def _waits(each: Pass) -> str:
    lines = [each.error.message] if each.error else ["paused"] if each.paused else []
    return "; ".join([*lines, *each.waits, *(f"observed, not done: {line}" for line in each.reported)])


def _as_json(each: Pass) -> dict[str, Any]:
    return {
        "name": each.forecast,
        "status": each.status,
        "heard": each.heard,
        "did": each.did,
        "waits": each.waits,
        "observed": each.reported,
        "error": {"message": each.error.message, "hint": each.error.hint} if each.error else None,
    }
