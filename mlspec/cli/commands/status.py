"""`mlspec status`: shows whether each forecast is ready, and why."""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report
from mlspec.cli.project import find_root, known_forecasts, load_default_specs
from mlspec.cli.status_text import WIDTH, as_text
from mlspec.cli.streams import is_reader_gone
from mlspec.cli.target import open_here, timestamp
from mlspec.clock import utc_now
from mlspec.engine.status import ForecastStatus, find_status, is_retired, without_spec
from mlspec.errors import UNREACHABLE, Exit, Terminated, UsageError
from mlspec.plan.natural_order import natural_key
from mlspec.plan.select import known_name, select_names
from mlspec.spec import LoadedSpecs
from mlspec.spec.duration import format_duration
from mlspec.spec.load import PROJECT_FILE
from mlspec.state.notice import PendingNotice
from mlspec.state.plan import Plan
from mlspec.state.record import ForecastRun
from mlspec.targets.base import OpenedTarget

_SHORTEST = 1.0  # seconds between two looks: each of them reads the record of every forecast


@click.command(short_help="Show whether each forecast is ready, and why.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@options.target
@options.output("text", "json")
@options.select
@click.option("--not-ready", is_flag=True, help="Only forecasts that are not ready.")
@click.option("--wide", is_flag=True, help="All columns, however wide the terminal is.")
@click.option("--watch", is_flag=True, help="Show it again every few seconds, until Ctrl-C or SIGTERM.")
@click.option(
    "--interval",
    default="5s",
    show_default=True,
    metavar="DURATION",
    callback=lambda _c, _p, value: options.parse_seconds(value),
    help="With --watch: the time between two looks.",
)
@click.option("--check", is_flag=True, help="Exit with 3 unless all are ready.")
def command(
    names: tuple[str, ...], target: str, output: str, select: tuple[str, ...], not_ready: bool, wide: bool, watch: bool,
    interval: float, check: bool,
) -> int:  # fmt: skip
    """Show whether each forecast is ready, and why not; what serves, its quality, and its last and next run.

    Errors are WAPE: `realised` of the forecasts that served, `backtest` of the champion. The table fits the terminal, 80 columns
    where there is none. `mlspec get NAME` shows all of one forecast.
    """
    call = _StatusOptions(names, target, select, not_ready=not_ready, wide=wide)
    if watch:
        if output != "text" or check:
            raise UsageError("--watch shows text until it is ended", hint="leave out --output json and --check")
        return _watch(call, interval)
    statuses = _load_statuses(call)
    if output == "json":
        click.echo(json.dumps({"forecasts": [as_json(forecast) for forecast in statuses]}, indent=2, allow_nan=False))
    else:
        click.echo(_status_text(call, statuses))
    if not all(forecast.is_readable for forecast in statuses):
        return Exit.FAILED
    good = all(forecast.ready or is_retired(forecast) for forecast in statuses)
    return Exit.NOT_WELL if check and not good else Exit.DONE


@dataclass(frozen=True)
class _StatusOptions:
    """What is shown, and how."""

    names: tuple[str, ...]
    target: str
    select: tuple[str, ...]
    not_ready: bool
    wide: bool


def _load_statuses(call: _StatusOptions) -> list[ForecastStatus]:
    """Return the state of the forecasts that the call names."""
    root = find_root()
    loaded = load_default_specs(root, call.target)
    opened_target = open_here(call.target)
    known = known_forecasts(loaded, opened_target)
    chosen_names = tuple(known_name(name, known) for name in call.names) or known
    plan_now = partial(_plan_now, opened_target, loaded)
    chosen_names = select_names(plan_now, call.select, chosen_names)
    statuses = [find_status(opened_target, name, utc_now()) for name in sorted(chosen_names, key=natural_key)]
    if not loaded.faults:  # else a file that cannot be read may describe any of them
        described = {spec.name for spec in loaded.specs}
        statuses = [each if each.name in described else without_spec(each) for each in statuses]
    if loaded.faults and (loaded.files or (root / PROJECT_FILE).is_file()):
        report("some specs cannot be read, and are left out: `mlspec validate` says why", "WARNING")
    return [each for each in statuses if not (call.not_ready and each.ready)]


def _plan_now(opened_target: OpenedTarget, loaded: LoadedSpecs) -> Plan:
    from mlspec.cli.target import open_engine
    from mlspec.engine.assembly import ignore_progress
    from mlspec.engine.plan import make_plan

    return make_plan(open_engine(opened_target, find_root(), ignore_progress), loaded.specs, None)


def _status_text(call: _StatusOptions, statuses: list[ForecastStatus]) -> str:
    """Return the text, as wide as the terminal."""
    if not statuses and (call.not_ready or call.select):
        return "No forecast is not ready." if call.not_ready else "No forecast is selected."
    is_terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size((WIDTH, 24)).columns if is_terminal else WIDTH
    return as_text(statuses, wide=call.wide, width=width, wrap=is_terminal and not call.wide)


def _watch(call: _StatusOptions, interval: float) -> int:
    """Show the state again and again until Ctrl-C or SIGTERM, or until its reader has gone.

    Where there is no terminal, only what has changed is printed.
    """
    last = ""
    try:
        while True:
            try:
                text = _status_text(call, _load_statuses(call))
            except UNREACHABLE as error:
                text = f"{error.message}; the next look is in {format_duration(timedelta(seconds=interval))}"
            if sys.stdout.isatty():
                click.clear()
                click.echo(f"{timestamp()}  (Ctrl-C ends)\n{text}")
            elif text != last:
                click.echo(f"{timestamp()}\n{text}")
            last = text
            if is_reader_gone():
                return Exit.DONE
            time.sleep(max(interval, _SHORTEST))
    except (KeyboardInterrupt, Terminated):
        return Exit.DONE


def as_json(forecast: ForecastStatus) -> dict[str, Any]:
    """Return one forecast as JSON, with what the loop remembers of it."""
    ledger = forecast.ledger
    return {
        "name": forecast.name,
        "ready": forecast.ready,
        "conditions": [
            {key: value for key, value in asdict(row).items() if key != "forecast"} for row in forecast.conditions
        ],
        "serving": [dict(row) for row in forecast.serving],
        "champion": forecast.champion,
        "pinned": asdict(ledger.hold) if ledger.hold else None,
        "metrics": dict(forecast.metrics),
        "realised": dict(ledger.metrics),
        "realised_by_horizon": [dict(step) for step in ledger.by_horizon],
        "alerts": [
            {
                "name": alert.name,
                "state": alert.state,
                "value": alert.value,
                "since": alert.since,
                "message": alert.message,
            }
            for alert in ledger.alerts
        ],
        "rollout": asdict(ledger.rollout) if ledger.rollout else None,
        "quarantined": [asdict(bad) for bad in ledger.quarantined],
        "silences": [asdict(mute) for mute in ledger.silences],
        "undelivered": [_undelivered_json(pending) for pending in forecast.undelivered],
        "failure": asdict(ledger.failure) if ledger.failure else None,
        "backfills": [_backfill_json(run) for run in forecast.backfills],
        "problems": list(forecast.problems),
        "series": list(forecast.series),
        "last_run": forecast.last_run.created if forecast.last_run else None,
        "next_run": forecast.next_run,
    }


def _backfill_json(run: ForecastRun) -> dict[str, Any]:
    words = {key: getattr(run, key) for key in ("cutoff", "created", "version")}
    return {"moment": run.backfill_of, **words, "rows": run.facts.get("rows"), "files": sorted(run.files)}


def _undelivered_json(pending: PendingNotice) -> dict[str, Any]:
    words = {key: getattr(pending, key) for key in ("receiver", "attempts", "next_at", "problem")}
    return {"id": pending.notice.id, "at": pending.notice.at, "message": pending.notice.message, **words}
