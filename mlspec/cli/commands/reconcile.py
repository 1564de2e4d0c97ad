"""`mlspec reconcile`: the loop."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.escape import printable
from mlspec.cli.faults import as_text as faults_text
from mlspec.cli.messages import report, say_error
from mlspec.cli.notices import send_due_notices
from mlspec.cli.planning import load_loop_input
from mlspec.cli.progress import Progress
from mlspec.cli.target import timestamp
from mlspec.engine.loop import follow_work, pass_exit_code, reconcile_specs
from mlspec.engine.pass_result import PassResult
from mlspec.errors import (
    UNREACHABLE,
    Exit,
    MlspecError,
    Refused,
    StateUnreachable,
    StoppedPartWay,
    Superseded,
    Terminated,
    with_subject,
)
from mlspec.log_context import forecast_scope
from mlspec.plan.approval import approval_reasons
from mlspec.plan.backoff import pass_pause
from mlspec.plan.shares import Share, tasks_for
from mlspec.spec.duration import format_duration
from mlspec.stop_signals import stop_signal_name
from mlspec.targets.base import ContainerRuntime

_JOBS_OF_A_CORE = 4  # more of them only wait for each other, and fill the memory


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
    "--follow", default="0s", show_default=True, metavar="DURATION", envvar="MLSPEC_FOLLOW",
    callback=lambda _c, _p, value: options.parse_seconds(value),
    help="With --once: go on with jobs and deployments as they end, for at most this long.",
)  # fmt: skip
@click.option(
    "--tasks", type=click.IntRange(min=1), default=1, show_default=True, envvar="MLSPEC_TASKS",
    help="On Google Cloud: start the loop's job with up to so many tasks if many forecasts have work.",
)  # fmt: skip
@click.option(
    "--jobs", type=click.IntRange(min=1), default=min(os.cpu_count() or 1, 4), show_default="the processors, 4 at most",
    help="Forecasts that are worked on at once; at most 4 for each core.",
)  # fmt: skip
def command(
    paths: tuple[Path, ...], target: str, output: str, select: tuple[str, ...], yes: bool, lock_timeout: float, once: bool,
    interval: float, follow: float, tasks: int, jobs: int,
) -> int:  # fmt: skip
    """Run the loop: check new data, forecast when due, evaluate the alerts, retrain, roll out, roll back; repeat.

    Specs are read again for each pass, so a commit that is pulled takes effect. If the state cannot be reached, the loop waits
    and tries again, up to five minutes later. SIGTERM or Ctrl-C ends the loop; its work is recorded, and the next run continues
    from there. With --output json each pass is one line.

    On Google Cloud no pass waits for a job or a deployment: it starts it, and a later pass goes on. --follow makes these later
    passes too. In a Cloud Run job of several tasks, each task works on its own share of the forecasts.
    """
    call = _LoopOptions(
        paths, target, output, select, lock_timeout, _limit_jobs(jobs), yes, follow if once else 0.0, tasks
    )
    last_texts: dict[str, str] = {}
    outage = _Outage()
    try:
        if once:
            return _run_pass(call, last_texts)
        while True:
            _try_pass(call, last_texts, outage)
            time.sleep(pass_pause(interval, outage.failures))
    except (KeyboardInterrupt, Terminated) as stopped:
        if once:
            raise
        report(f"mlspec reconcile: ended by {stop_signal_name(stopped)} between two passes")
        return Exit.DONE


def _limit_jobs(asked: int) -> int:
    """Return how many forecasts are worked on at once. Each is a process with data of its own, and a step uses one core."""
    cores = os.cpu_count() or 1
    most = _JOBS_OF_A_CORE * cores
    if asked <= most:
        return asked
    words = f"--jobs {asked}: this machine has {cores} core{'s' if cores > 1 else ''}, so {most} forecasts are worked on at once"
    report(words, "WARNING", at=timestamp())
    return most


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
    follow: float
    tasks: int


@dataclass
class _Outage:
    """The passes in a row that could not be made, and what was printed about them. `began`: whether any pass was made before."""

    began: bool = False
    failures: int = 0
    reported: type[MlspecError] | None = None

    def end(self) -> None:
        """Note that a pass was made, and print it after passes that were not."""
        if self.failures:
            report(f"passes are made again, after {self.failures} that could not be made", at=timestamp())
        self.began, self.failures, self.reported = True, 0, None

    def add_failure(self, error: MlspecError) -> None:
        """Note that a pass could not be made, and print why: once until the kind of error changes."""
        self.failures += 1
        if type(error) is self.reported:
            return
        self.reported = type(error)
        say_error(error)
        report("no pass could be made: the loop waits and tries again", "WARNING", at=timestamp())


def _try_pass(call: _LoopOptions, last_texts: dict[str, str], outage: _Outage) -> None:
    """Make one pass. An error that no forecast's work has raised is noted in `outage`.

    Raises it if no pass was ever made, as the call itself may be wrong then, unless the store is away.
    """
    try:
        _run_pass(call, last_texts)
    except StoppedPartWay:
        raise
    except MlspecError as error:
        if not (outage.began or isinstance(error, UNREACHABLE)):
            raise
        outage.add_failure(error)
    else:
        outage.end()


def _run_pass(call: _LoopOptions, last_texts: dict[str, str]) -> int:
    """Make one pass over the present specs. `last_texts` has the last text of each forecast, so that it is printed only once."""
    share = _own_share()
    with Progress() as progress:
        loop_input = load_loop_input(call.paths, call.target, call.select, progress)
        target, specs = loop_input.engine.target, [spec for spec in loop_input.specs if share.has(spec.name)]
        reasons = approval_reasons(call.target, (), protect=target.protect)
        if reasons and not call.yes:
            raise Refused(" and ".join(reasons), hint="add --yes to let the loop act on it")
        at_once = call.jobs if target.supports_fork else 1
        spread = partial(_spread, call, target.containers, share)
        passes = reconcile_specs(loop_input.engine, specs, call.lock_timeout, at_once, spread)
    deliver = partial(send_due_notices, target, settings=loop_input.notices, share=share)
    told: list[str] = []  # printed after the alert that it tells
    deliver(told.append)
    if loop_input.faults:
        report(faults_text(loop_input.faults), "ERROR")
    _print_pass(call, passes, last_texts, told)
    newest = {result.forecast: result for result in passes}
    for followed in follow_work(loop_input.engine, specs, passes, call.follow, call.lock_timeout):
        told = []
        deliver(told.append)
        _print_pass(call, followed, last_texts, told)
        newest |= {result.forecast: result for result in followed}
    worst_code = pass_exit_code(tuple(newest.values()))
    return (
        max(worst_code, Exit.FAILED) if loop_input.faults and worst_code in (Exit.DONE, Exit.NOT_WELL) else worst_code
    )


def _own_share() -> Share:
    """Return the share of this process: of its task, if it runs as one of several tasks of a Cloud Run job.

    Source: https://cloud.google.com/run/docs/container-contract#jobs-env-vars.
    """
    return Share(int(os.environ.get("CLOUD_RUN_TASK_INDEX", "0")), int(os.environ.get("CLOUD_RUN_TASK_COUNT", "1")))


def _spread(call: _LoopOptions, containers: ContainerRuntime | None, share: Share, busy: int) -> bool:
    """Start the job with more tasks if one task is not enough for the forecasts that have work. Return whether that was done."""
    tasks = tasks_for(busy, call.tasks)
    if containers is None or share.count > 1 or tasks == 1:
        return False
    containers.start_tasks(_task_words(call), tasks)
    report(f"{busy} forecasts have work: {tasks} tasks of the job mlspec-reconcile do it", at=timestamp())
    return True


def _task_words(call: _LoopOptions) -> list[str]:
    """Return the command of a task: it does for its share what this call was asked to do."""
    given = [
        ("--target", call.target),
        ("--lock-timeout", _duration_text(call.lock_timeout)),
        *(
            (("--follow", _duration_text(call.follow)),) if call.follow else ()
        ),  # without it the job's own setting holds
        ("--output", call.output),
        *(("--select", name) for name in call.select),
    ]
    return ["reconcile", *map(str, call.paths), "--once", "--yes", *(word for pair in given for word in pair)]


def _duration_text(seconds: float) -> str:
    return format_duration(timedelta(seconds=seconds))


def _print_pass(
    call: _LoopOptions, passes: Sequence[PassResult], last_texts: dict[str, str], told: Sequence[str]
) -> None:
    """Print what a pass did, and then `told`: a line for each notice that arrived. On stdout JSON stands alone."""
    if call.output == "json":
        found = [_as_json(result) for result in passes]
        click.echo(json.dumps({"at": timestamp(), "forecasts": found}, allow_nan=False))
    else:
        _print_results(passes, last_texts)
    for line in told:
        (report if call.output == "json" else click.echo)(line)


def _print_results(passes: Sequence[PassResult], last_texts: dict[str, str]) -> None:
    """Print changes of alerts, the actions of one pass, and what newly waits; after the first pass, how many are up to date.

    A forecast that has nothing to do and is not ready is not counted among them: it is named, with the reason.

    If the state was out of reach, that is one trouble of all forecasts: it is printed with the first of them.
    """
    unchanged_count, unreachable_count = 0, 0
    for result in passes:
        for line in (*result.alert_changes, *result.actions):
            click.echo(f"{timestamp()}  {result.forecast}: {printable(line)}")
        waits, before = _waiting_text(result), last_texts.get(result.forecast)
        if not (waits or result.actions or result.alert_changes or before is not None):
            unchanged_count += not result.not_ready
            _print_not_ready(result)
        last_texts[result.forecast] = waits
        if waits and before != waits:
            is_unreachable = isinstance(result.error, StateUnreachable)
            unreachable_count += is_unreachable
            if not is_unreachable or unreachable_count == 1:
                _print_waits(result, waits)
    if unreachable_count > 1:
        report(f"{unreachable_count - 1} more forecasts have this error", "ERROR", at=timestamp())
    if unchanged_count:
        click.echo(f"{timestamp()}  {_count_text(passes, unchanged_count)} up to date")


def _count_text(passes: Sequence[PassResult], count: int) -> str:
    if count > 1:
        return f"{count} forecasts are"
    return f"{passes[0].forecast if len(passes) == 1 else '1 forecast'} is"


def _print_not_ready(result: PassResult) -> None:
    if result.not_ready:
        text = printable(result.not_ready)
        click.echo(f"{timestamp()}  {result.forecast}: nothing to do, and not ready: {text}")


def _print_waits(result: PassResult, waits: str) -> None:
    if result.error and not isinstance(result.error, Superseded):
        with forecast_scope(result.forecast):
            say_error(with_subject(result.error, result.forecast))
    else:
        click.echo(f"{timestamp()}  {result.forecast}: {printable(waits)}")


def _waiting_text(result: PassResult) -> str:
    lines = [result.error.message] if result.error else ["paused"] if result.paused else []
    waits = [f"waiting: {'; '.join(result.waits)}"] if result.waits else []
    return "; ".join([*lines, *waits, *(f"observed, not done: {line}" for line in result.reported)])


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
