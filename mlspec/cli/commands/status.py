"""`mlspec status`: per forecast, ready or not, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.clock import now
from mlspec.cli.escape import printable
from mlspec.cli.messages import report
from mlspec.cli.project import find_root, known_name, load_specs
from mlspec.cli.table import percent, table
from mlspec.cli.target import open_target, timestamp
from mlspec.engine.status import Status, not_applied, status
from mlspec.errors import Exit
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.targets.base import Target


@click.command(short_help="Say per forecast whether it is ready, and why.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.target
@options.output("text", "json")
@click.option("--check", is_flag=True, help="Exit with 3 unless all are ready.")
def command(names: tuple[str, ...], target: str, output: str, check: bool) -> int:
    """Say per forecast whether it is ready, and why not; what serves, how good it is, when it ran and runs next."""
    root = find_root()
    loaded = load_specs([root / path for path in options.DEFAULT_PATHS], target)
    where = open_target(loaded.project, root, target)
    applied = where.names()
    known = tuple(sorted({*applied, *(spec.name for spec in loaded.specs)}))
    wanted = tuple(known_name(name, known) for name in names) or known
    found = [status(where, name, now()) if _known(where, name) else not_applied(name, timestamp()) for name in wanted]
    if loaded.faults:
        report("some specs cannot be read, and are left out: `mlspec validate` says why", "WARNING")
    if output == "json":
        click.echo(json.dumps({"forecasts": [as_json(each) for each in found]}, indent=2, allow_nan=False))
    else:
        click.echo(as_text(found))
        described = {spec.name for spec in loaded.specs}
        for name in () if loaded.faults else (each.name for each in found if each.name not in described):
            click.echo(f"{name}: no spec under specs/ describes it any more; `mlspec destroy {name}` takes it down")
    return Exit.NOT_WELL if check and not all(each.ready for each in found) else Exit.DONE


def _known(where: Target, name: str) -> bool:
    """Return whether anything stands of a forecast, or a first attempt at it has failed."""
    observed = where.observe(name)
    return bool(observed.seen) or any(each.status == "False" for each in observed.conditions)


def as_text(found: list[Status]) -> str:
    """Return a table of forecasts, and under it why any is not ready."""
    if not found:
        return "No forecasts yet: `mlspec init` starts a project, `mlspec apply` makes its forecasts."
    rows = [
        [
            each.name,
            "ready" if each.ready else "not ready",
            ", ".join(f"{row['version']} {row['traffic']} %" for row in each.serving) or "nothing",
            each.candidate or "-",
            percent(each.metrics.get("wape")),
            each.last_run.cutoff if each.last_run else "-",
            each.last_run.created if each.last_run else "-",
            each.next_run or "-",
        ]
        for each in found
    ]
    lines = [
        table(["forecast", "state", "serving", "model", "backtest WAPE", "data up to", "last run", "next run"], rows)
    ]
    lines += [f"{each.name}: {printable(line)}" for each in found for line in _sentences(each)]
    return "\n".join(lines)


def _sentences(each: Status) -> list[str]:
    """Return what a person has to know beside the table: why it is not ready, what is kept out, on its way, held, muted."""
    ledger = each.ledger
    firing = "; ".join(alert.message for alert in ledger.alerts if alert.state == "firing")
    why = "" if each.why == firing else each.why  # an alert has a line of its own
    found = [why or each.kept_out, _failure(each), _realised(ledger)]
    if ledger.rollout:
        found.append(
            f"{ledger.rollout.version} is on its way, step {ledger.rollout.step + 1}, since {ledger.rollout.since}"
        )
    if ledger.hold:
        found.append(
            f"release {ledger.hold.release} is held by {ledger.hold.by} since {ledger.hold.at}: {ledger.hold.reason}"
        )
    found += [f"{bad.version} is in quarantine since {bad.at}: {bad.reason}" for bad in ledger.quarantined]
    found += [f"alert {alert.name} is {alert.state} since {alert.since}: {alert.said}" for alert in _loud(ledger)]
    found += [
        f"alert {mute.alert} is silent until {mute.until}, by {mute.by}: {mute.reason}" for mute in ledger.silences
    ]
    return [line for line in found if line]


def _failure(each: Status) -> str:
    """Return why the loop cannot work on a forecast, where no condition says so already."""
    failure = each.ledger.failure
    if failure is None or any(failure.reason in condition.message for condition in each.conditions):
        return ""
    return f"the last pass failed at {failure.at}: {failure.reason}"


def _realised(ledger: Ledger) -> str:
    """Return how forecasts turned out, in all and by how far ahead they were made; nothing where no period is mature."""
    if ledger.metrics.get("wape") is None:
        return ""
    steps = [f"{percent(each['metrics']['wape'])} at {each['step']}" for each in ledger.by_horizon]
    ahead = f"; by periods ahead: {', '.join(steps)}" if len(steps) > 1 else ""
    return f"realised WAPE {percent(ledger.metrics['wape'])}{ahead}"


def _loud(ledger: Ledger) -> list[AlertRecord]:
    """Return the alerts that are worth a line: all but those that are well, or that never had data."""
    return [each for each in ledger.alerts if each.state not in ("ok", "no-data") or each.incident]


def as_json(each: Status) -> dict[str, Any]:
    """Return the contract's JSON of one forecast, with what else the loop remembers of it."""
    ledger = each.ledger
    return {
        "name": each.name,
        "ready": each.ready,
        "conditions": [
            {key: value for key, value in asdict(row).items() if key != "forecast"} for row in each.conditions
        ],
        "serving": [dict(row) for row in each.serving],
        "champion": each.champion,
        "pinned": asdict(ledger.hold) if ledger.hold else None,
        "metrics": dict(each.metrics),
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
        "last_run": each.last_run.created if each.last_run else None,
        "next_run": each.next_run,
    }
