"""`mlspec status`: shows whether each forecast is ready, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.clock import utc_now
from mlspec.cli.escape import printable
from mlspec.cli.messages import report
from mlspec.cli.project import find_root, load_specs
from mlspec.cli.table import format_percent, format_table
from mlspec.cli.target import timestamp
from mlspec.engine.status import ForecastStatus, forecast_status, not_applied
from mlspec.engine.target_kinds import open_target
from mlspec.errors import Exit
from mlspec.plan.select import known_name
from mlspec.spec.metrics import MAIN
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.targets.base import Target


@click.command(short_help="Show whether each forecast is ready, and why.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
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
    statuses = [
        forecast_status(opened_target, name, utc_now())
        if _is_known(opened_target, name)
        else not_applied(name, timestamp())
        for name in chosen_names
    ]
    if loaded.faults:
        report("some specs cannot be read, and are left out: `mlspec validate` says why", "WARNING")
    if output == "json":
        click.echo(json.dumps({"forecasts": [as_json(forecast) for forecast in statuses]}, indent=2, allow_nan=False))
    else:
        click.echo(as_text(statuses))
        described = {spec.name for spec in loaded.specs}
        for name in () if loaded.faults else (forecast.name for forecast in statuses if forecast.name not in described):
            click.echo(f"{name}: no spec under specs/ describes it any more; `mlspec destroy {name}` removes it")
    return Exit.NOT_WELL if check and not all(forecast.ready for forecast in statuses) else Exit.DONE


def _is_known(opened_target: Target, name: str) -> bool:
    """Return whether a forecast has resources, or its first attempt has failed."""
    observed = opened_target.observe_forecast(name)
    return bool(observed.resources) or any(condition.status == "False" for condition in observed.conditions)


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
    """Return the sentences below the table: why it is not ready, what is rejected, in rollout, held or muted."""
    ledger = forecast.ledger
    firing = "; ".join(alert.message for alert in ledger.alerts if alert.state == "firing")
    why = "" if forecast.why == firing else forecast.why  # an alert has a line of its own
    sentences = [why or forecast.kept_out, _failure(forecast), _realised_text(ledger)]
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
    return [line for line in sentences if line]


def _failure(each: ForecastStatus) -> str:
    """Return why the loop cannot work on a forecast, if no condition says so already."""
    failure = each.ledger.failure
    if failure is None or any(failure.reason in condition.message for condition in each.conditions):
        return ""
    return f"the last pass failed at {failure.at}: {failure.reason}"


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
        "last_run": forecast.last_run.created if forecast.last_run else None,
        "next_run": forecast.next_run,
    }
