"""Answers a run for a moment that is older than what is recorded: from the record, and without a change of anything newer.

A backfill fills what is missing: where no forecast was made for a moment, it is made now as of that moment, with the stock levels
if the spec asks for them. It is kept beside the forecasts that were made in time: it never serves, no version is judged by it, and
it moves no alert.
"""

from __future__ import annotations

from collections.abc import Mapping

from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import (
    ForecastWork,
    compute_stock,
    files_of,
    find_version,
    is_intact,
    known_version,
    panel_files,
)
from mlspec.engine.pass_plan import plan_on_checked_data, resource_mode
from mlspec.engine.pipeline import run_step
from mlspec.engine.under_way import own_work
from mlspec.errors import StateError
from mlspec.plan.alert_history import alert_states_at
from mlspec.plan.run_moments import backfill_of, forecast_of, is_since, release_at
from mlspec.plan.serving import recorded_shape, spec_shape, stable_version
from mlspec.state.observed import Settlement
from mlspec.state.pass_steps import PassStepName
from mlspec.state.record import Event, ForecastRun, Version
from mlspec.state.resource import Json
from mlspec.state.step import AS_OF

_ANSWERED = "this moment is older than what is recorded: it is answered from the record, and nothing newer is changed"


def answer_older_moment(
    engine: Engine, spec: Spec, step: PassStepName, moment: str, lock_timeout: float
) -> Mapping[str, Json]:
    """Return the facts of a step for an older moment (RFC 3339). Only `forecast` records something: a forecast that is missing."""
    facts: dict[str, Json] = {"well": True, "older_moment": moment, "message": _ANSWERED}
    if step == "evaluate":
        events = engine.target.load_events(spec.name)
        return {**facts, "alerts": alert_states_at(moment, spec.forecast.alerts, events)}
    return {**facts, **_fill_forecast(engine, spec, moment, lock_timeout)} if step == "forecast" else facts


def _fill_forecast(engine: Engine, spec: Spec, moment: str, lock_timeout: float) -> Mapping[str, Json]:
    """Make the forecast of an older moment, if none is recorded; return what there is of it now, or why there is none."""
    if found := _recorded_forecast(engine, spec, moment):
        return _run_facts(found)
    if why := _why_not_filled(engine, spec, moment):
        return {"message": f"no forecast was made for {moment}, and none is made now: {why}"}
    with engine.target.lock_forecast(spec.name, "step forecast", engine.clock(), lock_timeout):
        if found := _recorded_forecast(engine, spec, moment):  # another run made it while this one waited
            return _run_facts(found)
        observed = engine.target.observe_forecast(spec.name)
        plan = plan_on_checked_data(engine, spec, observed)
        work = ForecastWork(engine, plan.desired, observed)
        with own_work(work):
            return _make_backfill(work, moment)


def _recorded_forecast(engine: Engine, spec: Spec, moment: str) -> ForecastRun | None:
    in_time = forecast_of(moment, spec.forecast, engine.target.load_runs(spec.name))
    return in_time or backfill_of(moment, engine.target.load_backfills(spec.name))


def _why_not_filled(engine: Engine, spec: Spec, moment: str) -> str | None:
    """Return why no forecast is made for an older moment; None if one is."""
    releases, mode = engine.target.load_releases(spec.name), resource_mode(spec.forecast, "forecast")
    if spec.forecast.reconcile.mode == "pause" or mode != "enforce":
        return f"reconcile.mode is {'pause' if spec.forecast.reconcile.mode == 'pause' else mode}"
    if not any(not is_since(release.created, moment) for release in releases):
        return "no version served then"
    return None


def _make_backfill(work: ForecastWork, moment: str) -> Mapping[str, Json]:
    """Forecast as of a moment, with the data known then, and record it; nothing is recorded if one from that cutoff exists."""
    inputs = panel_files(work)
    if not inputs:
        raise StateError(f"{work.name}: there is no checked data to forecast from", hint="run the step check before it")
    version = _version_at(work, moment)
    inputs |= files_of(version.files, "model", "backtest")
    options = {"version": version.version, AS_OF: moment}
    made = run_step(work.engine, work.desired, "forecast", inputs, options)
    target = work.engine.target
    known = [*target.load_runs(work.name), *target.load_backfills(work.name)]
    if same := next((run for run in known if run.cutoff == made.facts["cutoff"]), None):
        return _run_facts(same)
    facts, files = {**made.facts, "backfill_of": moment}, dict(made.outputs)
    if stock := compute_stock(work, version, made.outputs, {AS_OF: moment}):
        facts["inventory"], files = dict(stock.facts), {**files, **stock.outputs}
    at = work.engine.clock()
    run = ForecastRun(work.name, version.version, work.desired.source.digest, facts["cutoff"], at, files, facts)
    target.publish_forecast(work.name, work.desired.spec, run)
    sentence = f"{_described(run)}, as of {moment}, by {version.version}"
    event = Event(work.name, at, "Normal", "ForecastBackfilled", sentence, version.version)
    work.record_settlement(Settlement(work.name, run=run, events=(event,)))
    return _run_facts(run)


def _described(run: ForecastRun) -> str:
    stock = " with stock levels" if "inventory" in run.files else ""
    return f"{run.facts['rows']:,} rows{stock} for {run.facts['start']} to {run.facts['end']}"


def _version_at(work: ForecastWork, moment: str) -> Version:
    """Return the version that served at a moment, if it is whole and fits the present spec; else the one that serves now."""
    release = release_at(moment, work.engine.target.load_releases(work.name))
    if release and recorded_shape(release.spec) == spec_shape(work.desired.spec):
        version = find_version(work, release.version)
        if version and is_intact(work, version):
            return version
    return known_version(work, str(stable_version(work.observed)))


def _run_facts(run: ForecastRun) -> Mapping[str, Json]:
    facts: dict[str, Json] = {
        "rows": run.facts.get("rows"),
        "start": run.facts.get("start"),
        "end": run.facts.get("end"),
    }
    return {
        **facts,
        "version": run.version,
        "cutoff": run.cutoff,
        "made": run.created,
        "backfilled": run.backfill_of is not None,
    }
