"""`mlspec status`: shows whether each forecast is ready, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.clock import utc_now
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.messages import report
from mlspec.cli.project import find_root, load_specs
from mlspec.cli.table import format_percent, format_table
from mlspec.engine.status import ForecastStatus, find_status
from mlspec.engine.target_kinds import open_target
from mlspec.errors import Exit
from mlspec.plan.delivery import undelivered_sentence
from mlspec.plan.select import known_name
from mlspec.spec.metrics import MAIN
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.notice import PendingNotice
from mlspec.state.record import ForecastRun


@click.command(short_help="Show whether each forecast is ready, and why.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@options.target
@options.output("text", "json")
@click.option("--check", is_flag=True, help="Exit with 3 unless all are ready.")
def command(names: tuple[str, ...], target: str, output: str, check: bool) -> int:
    """Show whether each forecast is ready, and why not; what serves, its quality, and its last and next run."""
    root = find_root()
    loaded = load_specs([root / path for path in options.DEFAULT_PATHS], target)
    opened_target = open_target(loaded.project, root, target)
    applied = opened_target.forecast_names()
    known = tuple(sorted({*applied, *(spec.name for spec in loaded.specs)}))
    chosen_names = tuple(known_name(name, known) for name in names) or known
    statuses = [find_status(opened_target, name, utc_now()) for name in chosen_names]
    if loaded.faults:
        report("some specs cannot be read, and are left out: `mlspec validate` says why", "WARNING")
    if output == "json":
        click.echo(json.dumps({"forecasts": [as_json(forecast) for forecast in statuses]}, indent=2, allow_nan=False))
    else:
        click.echo(as_text(statuses))
        described = {spec.name for spec in loaded.specs}
        for name in () if loaded.faults else (forecast.name for forecast in statuses if forecast.name not in described):
            click.echo(f"{name}: no spec under specs/ describes it any more; `mlspec destroy {name}` removes it")
    if not all(forecast.is_readable for forecast in statuses):
        return Exit.FAILED
    return Exit.NOT_WELL if check and not all(forecast.ready for forecast in statuses) else Exit.DONE


def as_text(statuses: list[ForecastStatus]) -> str:
    """Return a table of forecasts, and below it why forecasts are not ready."""
    if not statuses:
        return "No forecasts yet: `mlspec init` starts a project, `mlspec apply` makes its forecasts."
    rows = [
        [
            forecast.name,
            "ready" if forecast.ready else "not ready",
            ", ".join(f"{row['version']} {row['traffic']} %" for row in forecast.serving) or "nothing",
            forecast.candidate or "-",
            format_percent(forecast.metrics.get(MAIN.name)),
            forecast.last_run.cutoff if forecast.last_run else "-",
            forecast.last_run.created if forecast.last_run else "-",
            forecast.next_run or "-",
        ]
        for forecast in statuses
    ]
    lines = [
        format_table(
            ["forecast", "state", "serving", "model", f"backtest {MAIN.title}", "data up to", "last run", "next run"],
            rows,
        )
    ]
    lines += [f"{forecast.name}: {printable(line)}" for forecast in statuses for line in _status_sentences(forecast)]
    return "\n".join(lines)


def _status_sentences(forecast: ForecastStatus) -> list[str]:
    """Return the sentences below the table: why it is not ready, what is rejected, in rollout, held, muted or not delivered."""
    ledger = forecast.ledger
    firing = "; ".join(alert.message for alert in ledger.alerts if alert.state == "firing")
    why = "" if forecast.why == firing else forecast.why  # an alert has a line of its own
    sentences = [
        why or forecast.kept_out,
        _failure(forecast),
        *forecast.problems,
        *forecast.series,
        _realised_text(ledger),
    ]
    if ledger.rollout:
        sentences.append(
            f"{ledger.rollout.version} is in rollout, step {ledger.rollout.step + 1}, since {ledger.rollout.since}"
        )
    if ledger.hold:
        sentences.append(
            f"release {ledger.hold.release} is held by {ledger.hold.by} since {ledger.hold.at}: {ledger.hold.reason}"
        )
    sentences += [f"{bad.version} is in quarantine since {bad.at}: {bad.reason}" for bad in ledger.quarantined]
    sentences += [
        f"alert {alert.name} is {alert.state} since {alert.since}: {alert.message_without_name}"
        for alert in _notable_alerts(ledger)
    ]
    sentences += [
        f"alert {mute.alert} is silent until {mute.until}, by {mute.by}: {mute.reason}" for mute in ledger.silences
    ]
    sentences += [undelivered_sentence(pending) for pending in forecast.undelivered]
    sentences += [_backfill_sentence(forecast.backfills)]
    return [line for line in sentences if line]


def _backfill_sentence(backfills: Sequence[ForecastRun]) -> str:
    """Return what was filled in for past moments, and when the last of it was; empty if nothing was."""
    moments = sorted(str(run.backfill_of) for run in backfills)
    if not moments:
        return ""
    span = moments[0] if len(moments) == 1 else f"{len(moments)} past moments, {moments[0]} to {moments[-1]}"
    return f"filled in for {span}: the last at {backfills[0].created}, from data up to {backfills[0].cutoff}"


def _failure(each: ForecastStatus) -> str:
    """Return why the loop cannot work on a forecast, if no condition says so already."""
    failure = each.ledger.failure
    if failure is None or any(failure.reason in condition.message for condition in each.conditions):
        return ""
    then = f"; it is tried again at {failure.next_at}" if failure.next_at else ""
    return f"the last pass failed at {failure.at}: {failure.reason}{then}"


def _realised_text(ledger: Ledger) -> str:
    """Return the realised quality, overall and by periods ahead; empty if no period has actuals yet."""
    if ledger.metrics.get(MAIN.name) is None:
        return ""
    steps = [f"{format_percent(horizon['metrics'][MAIN.name])} at {horizon['step']}" for horizon in ledger.by_horizon]
    by_horizon = f"; by periods ahead: {', '.join(steps)}" if len(steps) > 1 else ""
    return f"realised {MAIN.title} {format_percent(ledger.metrics[MAIN.name])}{by_horizon}"


def _notable_alerts(ledger: Ledger) -> list[AlertRecord]:
    """Return the alerts to show: all except those that are ok, and those that never had data."""
    return [alert for alert in ledger.alerts if alert.state not in ("ok", "no-data") or alert.incident]


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
