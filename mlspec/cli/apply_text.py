"""The text after an apply: the scores of the candidates, the version that serves and why, and the next commands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli.escape import printable
from mlspec.cli.table import format_percent, format_table
from mlspec.engine.effects import recorded_fact
from mlspec.engine.outcome import ForecastOutcome
from mlspec.engine.provision import ApplyResult
from mlspec.plan.candidates import sort_candidates
from mlspec.spec.metrics import Metric, accuracy_metrics
from mlspec.state.record import Version

_INFRASTRUCTURE = {
    "nothing": "is up to date",
    "applied": "infrastructure and DAG are applied",
    "failed": "failed; what terraform made before is in its state",
    "held": "not applied: the shared resources failed",
}


def as_text(result: ApplyResult) -> str:
    """Return a line for each folder of infrastructure, the outcome of each forecast, and the next commands."""
    outcomes = result.outcomes
    parts = ["\n".join(f"{folder.name}: {_INFRASTRUCTURE[folder.status]}" for folder in result.infrastructure or ())]
    parts += ["\n".join(_outcome_lines(outcome)) for outcome in outcomes]
    made = next((outcome for outcome in outcomes if outcome.run), None)
    if made is not None and made.run is not None:
        stock = ["inventory"] if "inventory" in made.run.facts else []
        commands = ["status", *(f"{command} {made.forecast}" for command in ("forecast", *stock, "report"))]
        parts.append(f"Next: {' | '.join(f'mlspec {command}' for command in commands)}")
    return "\n\n".join(filter(None, parts))


def _outcome_lines(outcome: ForecastOutcome) -> Iterable[str]:
    name = click.style(outcome.forecast, bold=True)
    if outcome.status == "nothing":
        yield f"{name}: nothing to do"
        return
    version = outcome.version
    if version is not None and outcome.recorded:
        cutoffs = recorded_fact(version, "cutoffs")
        yield f"{name}: backtest over {len(cutoffs)} cutoffs, {cutoffs[0]} to {cutoffs[-1]}"
        yield from (f"  auto: {printable(reason)}" for reason in recorded_fact(version, "auto"))
        yield candidate_table(version)
        yield from (f"  note: {printable(note)}" for note in recorded_fact(version, "notes"))
        yield from (f"  gate {printable(reason)}" for reason in version.reasons)
    if outcome.status == "kept-out" and version is not None:
        word = "keeps" if outcome.recorded else "kept"
        rest = "the version before it still serves" if outcome.serving else "no version serves yet"
        yield f"{name}: the gate {word} {version.version} out; {rest}."
        if not outcome.recorded:
            yield from (f"  gate {printable(reason)}" for reason in version.reasons if not reason.startswith("pass"))
        yield "  It is tried again when spec, data or code change."
    if outcome.release is not None:
        yield f"{name}: release {outcome.release.release} serves {outcome.release.version}"
    if outcome.run is not None:
        facts = outcome.run.facts
        stock = ", with stock levels" if "inventory" in facts else ""
        yield f"{name}: {facts['rows']:,} forecasts from {facts['start']} to {facts['end']}{stock}"
    yield from (f"  {printable(sentence)}" for sentence in outcome.series)
    if outcome.error is not None:
        yield f"{name}: {click.style('failed', fg='red')}: {printable(outcome.error.message)}"
        if outcome.error.hint:
            yield f"  {click.style('hint', fg='cyan')}: {printable(outcome.error.hint)}"


def candidate_table(version: Version) -> str:
    """Return the table of candidates, the best first, the champion marked."""
    candidates = sort_candidates(recorded_fact(version, "candidates"))
    metrics = accuracy_metrics(row["metrics"] for row in candidates)
    shown = [
        [
            _champion_label(row["name"], version),
            *(_metric_text(metric, row["metrics"].get(metric.name)) for metric in metrics),
        ]
        for row in candidates
    ]
    return format_table(["candidate", *(metric.title for metric in metrics)], shown, indent=2)


def _champion_label(name: str, version: Version) -> str:
    return f"{name} (champion)" if name == version.candidate else name


def _metric_text(metric: Metric, value: float | None) -> Any:
    return format_percent(value) if metric.unit == "share" else None if value is None else f"{value:.3f}"


def as_json(result: ApplyResult) -> str:
    """Return the outcome of infrastructure and forecasts as JSON."""
    value: dict[str, Any] = {"forecasts": [_outcome_json(outcome) for outcome in result.outcomes]}
    if result.infrastructure is not None:
        rows = [
            {"name": folder.name, "status": folder.status, "error": folder.error and folder.error.message}
            for folder in result.infrastructure
        ]
        value = {"infrastructure": rows, **value}
    return json.dumps(value, indent=2, allow_nan=False)


def _outcome_json(outcome: ForecastOutcome) -> dict[str, Any]:
    version, error = outcome.version, outcome.error
    return {
        "name": outcome.forecast,
        "status": outcome.status,
        "version": version.version if version else None,
        "candidate": version.candidate if version else None,
        "metrics": dict(version.metrics) if version else {},
        "gate": list(version.reasons) if version else [],
        "release": outcome.release.release if outcome.release else None,
        "run": {key: value for key, value in asdict(outcome.run).items() if key in ("cutoff", "created", "facts")}
        if outcome.run
        else None,
        "series": list(outcome.series),
        "error": {"message": error.message, "hint": error.hint} if error else None,
    }
