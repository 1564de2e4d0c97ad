"""What a rollback by a person would do: chosen and refused by the code of the rollback itself, and nothing is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from mlspec.engine.context import Engine, Spec
from mlspec.engine.effects import ForecastWork, checked_files, known_version, recorded_file
from mlspec.engine.pass_plan import plan_on_checked_data
from mlspec.engine.rollback_choice import choose_release, find_good_releases
from mlspec.engine.rows import load_rows, newest_run
from mlspec.engine.traffic_history import complete_ledger
from mlspec.errors import MlspecError, StateError
from mlspec.plan.forecast_changes import ForecastChanges, ForecastValue, compare_forecasts
from mlspec.plan.rollback_meaning import rollback_sentences
from mlspec.plan.serving import observed_traffic
from mlspec.spec.digest import resolved_json
from mlspec.state.predicted import Predictions
from mlspec.state.record import Release, Version
from mlspec.state.split import series_key
from mlspec.state.step import StepRequest

Predict = Callable[[StepRequest], Predictions]  # jobs.predict, here or in a process of its own


@dataclass(frozen=True, slots=True)
class RollbackPreview:
    """What would change: `serves` is the version that gives way, `releases` are those that can be chosen, the newest first.

    `series` names the columns of a series in `changes`, which compares the newest forecast with what `version` would forecast;
    None where that cannot be said, for the reason in `problem`.
    """

    forecast: str
    serves: str
    serving_release: int
    serving: Version
    release: Release
    version: Version
    releases: tuple[Release, ...]
    meaning: tuple[str, ...]
    series: tuple[str, ...] = ()
    changes: ForecastChanges | None = None
    problem: str = ""


def preview_rollback(engine: Engine, spec: Spec, release_number: int | None, predict: Predict) -> RollbackPreview:
    """Return what a rollback would do now. Raises what the rollback raises for a release that cannot serve."""
    observed = engine.target.observe_forecast(spec.name)
    work = ForecastWork(engine, plan_on_checked_data(engine, spec, observed).desired, observed)
    release = choose_release(work, release_number)
    version, serves = known_version(work, release.version), str(observed.find_fact("deployment", "version"))
    preview = RollbackPreview(
        forecast=spec.name, serves=serves, serving_release=int(observed.find_fact("deployment", "release")),
        serving=known_version(work, serves), release=release, version=version,
        releases=find_good_releases(work), series=spec.forecast.dataset.series,
        meaning=rollback_sentences(
            spec.name, serves, version.version, complete_ledger(engine.target, spec.name, observed.ledger),
            observed_traffic(observed),
        ),
    )  # fmt: skip
    try:
        return replace(preview, changes=_forecast_changes(work, version, predict))
    except MlspecError as error:  # what serves may be the trouble: the rollback itself does not need the comparison
        return replace(preview, problem=error.message)


def _forecast_changes(work: ForecastWork, version: Version, predict: Predict) -> ForecastChanges:
    """Return what changes from the newest forecast. Raises StateError if there is none, or none for the same periods."""
    target, series = work.engine.target, work.desired.spec.dataset.series
    rows = load_rows(target, work.name, "forecast", newest_run(target, work.name))
    places = [rows.columns.index(name) for name in series]
    time, mean = rows.columns.index(work.desired.spec.dataset.time), rows.columns.index("mean")
    before = [ForecastValue(tuple(row[at] for at in places), row[time], row[mean]) for row in rows.values]
    names = {series_key(dict(zip(series, map(str, value.series), strict=True))): value.series for value in before}
    changes = compare_forecasts(before, _predicted_values(predict(_request(work, version)), names))
    if changes is None:
        raise StateError("the newest forecast is of other periods: new data came in, so the two cannot be compared")
    return changes


def _predicted_values(predictions: Predictions, names: dict[str, tuple[Any, ...]]) -> Iterator[ForecastValue]:
    means, count = predictions.columns["mean"], len(predictions.times)
    for key, position in predictions.positions.items():
        for step, period in enumerate(predictions.times):
            yield ForecastValue(names.get(key, (key,)), period, means[position * count + step])


def _request(work: ForecastWork, version: Version) -> StepRequest:
    """Return the request of the step `forecast` by one version, on the data that was checked last."""
    engine, data = work.engine, work.observed.resources.get("data")
    if data is None:
        raise StateError("no data is checked", hint="run `mlspec apply`")
    refs = dict(checked_files(data.files))
    refs |= {role: recorded_file(version, role) for role in ("model", "backtest")}
    inputs = {role: engine.target.fetch_file(work.name, ref) for role, ref in refs.items()}
    document = resolved_json(work.desired.spec)
    return StepRequest(step="forecast", spec=document, root=engine.root, out=engine.root, inputs=inputs, options={})
