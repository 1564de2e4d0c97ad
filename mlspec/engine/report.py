"""Collects the facts of a report from the record and the stored files, as plain lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from mlspec.engine.effects import recorded_fact
from mlspec.engine.rows import PlainRows, newest_run, read_rows
from mlspec.engine.status import forecast_status
from mlspec.errors import StateError
from mlspec.plan.candidates import sort_candidates
from mlspec.plan.releases import release_spec
from mlspec.plan.stock_outcomes import stock_outcomes
from mlspec.render.chart import Value
from mlspec.render.report import ReportFacts, SeriesFacts
from mlspec.spec.forecast import Forecast
from mlspec.state.record import FileRef, Release, Version
from mlspec.state.step import panel_parts
from mlspec.targets.base import Target

_STOCK_ROWS = 50
_EVENTS = 30


def gather_facts(target: Target, name: str, now: datetime) -> ReportFacts:
    """Return the facts of one forecast's report. Raises StateError if there is no forecast yet."""
    run = newest_run(target, name)
    observed = target.observe_forecast(name)
    version = next((record for record in target.load_versions(name) if record.version == run.version), None)
    release = next((record for record in target.load_releases(name) if record.version == run.version), None)
    if version is None or release is None or "data" not in observed.resources:
        raise StateError(f"{name} is destroyed, so there is nothing to report", hint="mlspec apply, then mlspec report")
    forecast_now = forecast_status(target, name, now)
    checked = observed.resources["data"]
    backtest = _read_table(target, name, version.files["backtest"])
    judged = [row for row in backtest if row["candidate"] == version.candidate]
    spec = release_spec(release)
    return ReportFacts(
        name=name,
        description=spec.metadata.description,
        owner=spec.metadata.owner,
        target_column=spec.dataset.target,
        version={"version": version.version, "candidate": version.candidate, "metrics": version.metrics},
        release=observed.find_fact("deployment", "release"),
        run={"start": run.facts.get("start"), "end": run.facts.get("end"), "cutoff": run.cutoff},
        candidates=sort_candidates(recorded_fact(version, "candidates")),
        gate=version.reasons,
        by=recorded_fact(version, "by"),
        by_step=_wape_by(judged, "h"),
        by_cutoff=_wape_by(judged, "cutoff"),
        series=_series_facts(target, name, spec, {**checked.files, "forecast": run.files["forecast"]}, judged),
        quality=checked.facts,
        inventory=_stock_facts(target, name, run.files, run.facts, len(spec.dataset.series)),
        events=[asdict(event) for event in target.load_events(name)[:_EVENTS]],
        interval=recorded_fact(version, "interval"),
        ready=forecast_now.ready,
        why=forecast_now.why,
        made=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        lineage=_lineage_facts(version, release),
        auto=recorded_fact(version, "auto"),
        fates=forecast_now.series,
    )


def _lineage_facts(version: Version, release: Release) -> dict[str, Any]:
    words = {
        "version": version.version,
        "created": version.created,
        **version.lineage,
        "release_spec_hash": release.spec_hash,
    }
    return {key.replace("_", " "): value for key, value in words.items()}


def _read_table(target: Target, forecast: str, ref: FileRef) -> list[dict[str, Any]]:
    rows = read_rows(target.fetch_file(forecast, ref))
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.values]


def _wape_by(rows: Iterable[Mapping[str, Any]], column: str) -> list[tuple[Any, Value]]:
    """Return WAPE (sum of absolute errors over sum of absolute actuals) for each value of a column, in order."""
    errors: dict[Any, float] = defaultdict(float)
    actuals: dict[Any, float] = defaultdict(float)
    for row in rows:
        if row["y"] is not None and row["mean"] is not None:
            errors[row[column]] += abs(row["y"] - row["mean"])
            actuals[row[column]] += abs(row["y"])
    return [(key, errors[key] / actuals[key] if actuals[key] else None) for key in sorted(errors)]


def _series_facts(
    target: Target,
    name: str,
    spec: Forecast,
    files: Mapping[str, FileRef],
    judged: list[dict[str, Any]],
) -> list[SeriesFacts]:
    columns, time = spec.dataset.series, spec.dataset.time
    names = {
        row["unique_id"]: tuple(row[f"id_{column}"] for column in columns)
        for row in _read_table(target, name, files["series"])
    }
    history, forecast, backtest = defaultdict(list), defaultdict(list), defaultdict(list)
    for part in panel_parts(files).values():
        for row in _read_table(target, name, part):
            history[names[row["unique_id"]]].append((row["ds"], row["y"]))
    for row in judged:
        backtest[names[row["unique_id"]]].append((row["ds"], row["mean"]))
    for row in _read_table(target, name, files["forecast"]):
        forecast[tuple(row[column] for column in columns)].append(row)
    quantiles = sorted(spec.model.quantiles)
    low, high = (f"q{quantiles[0]:g}", f"q{quantiles[-1]:g}") if len(quantiles) > 1 else ("", "")
    return [
        SeriesFacts(
            name=" · ".join(f"{column} {value}" for column, value in zip(columns, key, strict=True))
            or spec.dataset.target,
            history=history[key],
            mean=[(row[time], row["mean"]) for row in rows],
            low=[row[low] for row in rows] if low else (),
            high=[row[high] for row in rows] if high else (),
            backtest=backtest[key],
        )
        for key, rows in forecast.items()
    ]


def _stock_facts(
    target: Target, forecast: str, files: Mapping[str, FileRef], facts: Mapping[str, Any], words: int
) -> dict[str, Any] | None:
    if "inventory" not in files or "inventory" not in facts:
        return None
    rows: PlainRows = read_rows(target.fetch_file(forecast, files["inventory"]))
    return {
        "columns": rows.columns,
        "rows": rows.values[:_STOCK_ROWS],
        "hidden": max(0, len(rows.values) - _STOCK_ROWS),
        "words": words,
        "facts": facts["inventory"],
        "policy": facts["inventory"].get("policy"),
        "simulation": stock_outcomes(facts["inventory"]),
    }
