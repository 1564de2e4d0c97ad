"""Collects the facts of a forecast's page from the record and the stored files, as plain values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mlspec.engine.effects import LEVEL_SCORES, recorded_fact
from mlspec.engine.rows import load_rows, newest_run
from mlspec.engine.series_curves import CurveSource, open_curves
from mlspec.engine.status import ForecastStatus, forecast_status
from mlspec.errors import StateError
from mlspec.plan.candidates import sort_candidates
from mlspec.plan.delivery import undelivered_sentence
from mlspec.plan.releases import release_spec
from mlspec.plan.stock_outcomes import stock_outcomes
from mlspec.render.page_facts import AttentionItem, ForecastPageFacts
from mlspec.render.series_listing import SeriesIndex
from mlspec.spec.forecast import Forecast
from mlspec.state.record import ForecastRun, Release, Version
from mlspec.targets.base import Target

_STOCK_ROWS = 50


@dataclass(frozen=True, slots=True)
class ForecastPageSource:
    """The facts of a forecast's page, and where the curves of its series are read."""

    facts: ForecastPageFacts
    curves: CurveSource


def gather_facts(
    target: Target, name: str, now: datetime, series: SeriesIndex | None = None, zone: str | None = None
) -> ForecastPageSource:
    """Return the facts of one forecast's page. Without `zone` its moments are those of the forecast's schedule.

    Raises StateError if there is no forecast yet.
    """
    run = newest_run(target, name)
    observed = target.observe_forecast(name)
    version = next((record for record in target.load_versions(name) if record.version == run.version), None)
    release = next((record for record in target.load_releases(name) if record.version == run.version), None)
    if version is None or release is None or "data" not in observed.resources:
        raise StateError(f"{name} is destroyed, so there is nothing to report", hint="mlspec apply, then mlspec report")
    status = forecast_status(target, name, now)
    checked = observed.resources["data"]
    spec = release_spec(release)
    facts = ForecastPageFacts(
        name=name,
        description=spec.metadata.description,
        owner=spec.metadata.owner,
        target_column=spec.dataset.target,
        version={"version": version.version, "candidate": version.candidate, "metrics": version.metrics},
        release=observed.find_fact("deployment", "release"),
        run={"start": run.facts.get("start"), "end": run.facts.get("end"), "cutoff": run.cutoff},
        candidates=sort_candidates(recorded_fact(version, "candidates")),
        gate=version.reasons,
        quality=checked.facts,
        inventory=_stock_facts(target, run, len(spec.dataset.series)),
        events=target.load_events(name),
        interval=recorded_fact(version, "interval"),
        ready=status.ready,
        why=status.why,
        made=f"{now:%Y-%m-%dT%H:%M:%SZ}",
        zone=zone or forecast_zone(spec),
        next_run=status.next_run,
        conditions=status.conditions,
        attention=tuple(attention_items(status)),
        undelivered=status.undelivered,
        lineage=_lineage_facts(version, release),
        auto=recorded_fact(version, "auto"),
        levels=version.facts.get(LEVEL_SCORES, ()),
        fates=status.series,
        series=series,
    )
    return ForecastPageSource(facts, open_curves(target, name, spec, run, checked, version))


def forecast_zone(spec: Forecast) -> str:
    """Return the time zone in which people read a forecast: that of its data, or else of its schedule."""
    return spec.dataset.timezone or spec.schedule.timezone


def with_series(source: ForecastPageSource, series: SeriesIndex | None) -> ForecastPageSource:
    """Return the same facts with the series of an overview."""
    return replace(source, facts=replace(source.facts, series=series))


def attention_items(status: ForecastStatus) -> Iterator[AttentionItem]:
    """Yield what needs somebody, or what somebody did: alerts, a failure, a hold, quarantine, silences, undelivered notices."""
    ledger = status.ledger
    for alert in ledger.alerts:
        if alert.state in ("firing", "pending", "silenced", "inhibited"):
            yield AttentionItem(f"alert {alert.state}", alert.since, f"{alert.name}: {alert.message_without_name}")
    if ledger.failure:
        yield AttentionItem("failure", ledger.failure.at, ledger.failure.reason)
    if status.kept_out:
        yield AttentionItem("kept out", "", status.kept_out)
    if ledger.rollout:
        yield AttentionItem(
            "rollout", ledger.rollout.since, f"{ledger.rollout.version} is in rollout, step {ledger.rollout.step + 1}"
        )
    if ledger.hold:
        hold = ledger.hold
        yield AttentionItem("hold", hold.at, f"release {hold.release} is held by {hold.by}: {hold.reason}")
    for bad in ledger.quarantined:
        yield AttentionItem("quarantine", bad.at, f"{bad.version}: {bad.reason}")
    for mute in ledger.silences:
        yield AttentionItem(
            "silence", mute.at, f"{mute.alert} is silent until {mute.until}, by {mute.by}: {mute.reason}"
        )
    for pending in status.undelivered:
        yield AttentionItem("undelivered notice", pending.notice.at, undelivered_sentence(pending))
    for problem in status.problems:
        yield AttentionItem("problem", "", problem)


def _lineage_facts(version: Version, release: Release) -> dict[str, Any]:
    words = {
        "version": version.version,
        "created": version.created,
        **version.lineage,
        "release_spec_hash": release.spec_hash,
    }
    return {key.replace("_", " "): value for key, value in words.items()}


def _stock_facts(target: Target, run: ForecastRun, words: int) -> dict[str, Any] | None:
    facts = run.facts
    if "inventory" not in run.files or "inventory" not in facts:
        return None
    rows = load_rows(target, run.forecast, "inventory", run)  # in the order of `mlspec inventory`
    return {
        "columns": rows.columns,
        "rows": rows.values[:_STOCK_ROWS],
        "hidden": max(0, len(rows.values) - _STOCK_ROWS),
        "words": words,
        "facts": facts["inventory"],
        "policy": facts["inventory"].get("policy"),
        "simulation": stock_outcomes(facts["inventory"]),
    }
