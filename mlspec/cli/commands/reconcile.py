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
from mlspec.cli.planning import load_loop_input
from mlspec.cli.progress import Progress
from mlspec.cli.senders import sender_factory
from mlspec.cli.target import timestamp
from mlspec.engine.deliver import deliver_notices
from mlspec.engine.loop import pass_exit_code, reconcile_specs
from mlspec.engine.pass_result import PassResult
from mlspec.errors import Exit, MlspecError, Refused, Terminated
from mlspec.log_context import forecast_scope
from mlspec.plan.approval import approval_reasons
from mlspec.targets.base import OpenedTarget


@click.command(short_help="Run the loop: monitor, forecast, retrain, roll out and roll back.")
@options.paths
@options.target
@options.output("text", "json")
@options.select
@options.yes
@options.lock_timeout
@click.option("--once", is_flag=True, help="One pass, then end; for cron, a scheduler or a DAG.")
@click.option(
    "--interval", default="60s", show_default=True, metavar="DURATION", callback=lambda _c, _p, value: options.parse_seconds(value),
    help="Time between two passes.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), default=min(os.cpu_count() or 1, 4), show_default="the processors, 4 at most",
    help="Forecasts that are worked on at once.",
)  # fmt: skip
def command(
    paths: tuple[Path, ...], target: str, output: str, select: tuple[str, ...], yes: bool, lock_timeout: float, once: bool,
    interval: float, jobs: int,
) -> int:  # fmt: skip
    """Run the loop: check new data, forecast when due, evaluate the alerts, retrain, roll out, roll back; repeat.

    Specs are read again for each pass, so a commit that is pulled takes effect. SIGTERM or Ctrl-C ends the loop; its work is
    recorded, and the next run continues from there. With --output json each pass is one line.
    """
    last_texts: dict[str, str] = {}
    try:
        while True:
            code = _run_pass(_LoopOptions(paths, target, output, select, lock_timeout, jobs, yes), last_texts)
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
class _LoopOptions:
    """The options of the command."""

    paths: Sequence[Path]
    target: str
    output: str
    select: tuple[str, ...]
    lock_timeout: float
    jobs: int
    yes: bool


def _run_pass(call: _LoopOptions, last_texts: dict[str, str]) -> int:
    """Make one pass over the present specs. `said` holds the last text of each forecast, so that it is printed only once."""
    with Progress() as progress:
        loop_input = load_loop_input(call.paths, call.target, call.select, progress)
        target = loop_input.engine.target
        reasons = approval_reasons(call.target, (), protect=target.protect)
        if reasons and not call.yes:
            raise Refused(" and ".join(reasons), hint="add --yes to let the loop act on it")
        passes = reconcile_specs(
            loop_input.engine, loop_input.specs, call.lock_timeout, call.jobs if target.supports_fork else 1
        )
    _send_notices(target)
    if loop_input.faults:
        report(faults_text(loop_input.faults), "ERROR")
    if call.output == "json":
        click.echo(
            json.dumps({"at": timestamp(), "forecasts": [_as_json(result) for result in passes]}, allow_nan=False)
        )
    else:
        _print_results(passes, last_texts)
    worst_code = pass_exit_code(passes)
    return (
        max(worst_code, Exit.FAILED) if loop_input.faults and worst_code in (Exit.DONE, Exit.NOT_WELL) else worst_code
    )


def _send_notices(target: OpenedTarget) -> None:
    """Send the due notices. If a receiver does not answer, a later pass sends again; nothing else is delayed."""
    try:
        attempts = deliver_notices(target, sender_factory(target.read_secret, timestamp, target.project), timestamp)
    except MlspecError as error:  # the result of the pass is printed nevertheless
        say_error(error)
        return
    for attempt in attempts:
        notice, pending = attempt.pending.notice, attempt.pending
        if not attempt.problem:
            click.echo(f"{timestamp()}  {notice.forecast}: notified {pending.receiver}: {printable(notice.message)}")
            continue
        then = f"is tried again at {pending.next_at}" if pending.next_at else "is given up"
        report(
            f"{notice.forecast}: {pending.receiver} did not accept the notice: {attempt.problem}; it {then}",
            "WARNING",
            forecast=notice.forecast,
            at=timestamp(),
        )


def _print_results(passes: Sequence[PassResult], last_texts: dict[str, str]) -> None:
    """Print changes of alerts, the actions of one pass, and what newly waits; after the first pass, how many are up to date."""
    unchanged_count = 0
    for result in passes:
        for line in (*result.alert_changes, *result.actions):
            click.echo(f"{timestamp()}  {result.forecast}: {printable(line)}")
        waits = _waiting_text(result)
        if waits and last_texts.get(result.forecast) != waits:
            if result.error:
                with forecast_scope(result.forecast):
                    say_error(type(result.error)(f"{result.forecast}: {result.error.message}", hint=result.error.hint))
            else:
                click.echo(f"{timestamp()}  {result.forecast}: {printable(waits)}")
        unchanged_count += (
            not waits and not result.actions and not result.alert_changes and result.forecast not in last_texts
        )
        last_texts[result.forecast] = waits
    if unchanged_count:
        subject = (
            f"{unchanged_count} forecasts are"
            if unchanged_count > 1
            else f"{passes[0].forecast if len(passes) == 1 else '1 forecast'} is"
        )
        click.echo(f"{timestamp()}  {subject} up to date")


def _waiting_text(result: PassResult) -> str:
    lines = [result.error.message] if result.error else ["paused"] if result.paused else []
    return "; ".join([*lines, *result.waits, *(f"observed, not done: {line}" for line in result.reported)])


def _as_json(result: PassResult) -> dict[str, Any]:
    return {
        "name": result.forecast,
        "status": result.status,
        "heard": result.alert_changes,
        "did": result.actions,
        "waits": result.waits,
        "observed": result.reported,
        "error": {"message": result.error.message, "hint": result.error.hint} if result.error else None,
    }
