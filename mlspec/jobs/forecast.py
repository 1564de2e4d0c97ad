"""Step `forecast`: every series over the horizon, with quantiles, by the version that it belongs to, under the user's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mlspec.errors import UsageError
from mlspec.forecast import artifact
from mlspec.forecast.frame import ID, MEAN, TIME, Layout, Panel
from mlspec.forecast.quantiles import STEP, column, spread
from mlspec.forecast.scales import scales
from mlspec.forecast.selection import CHAMPION
from mlspec.jobs.context import cutoff_of, input_of, layout_of, own_names, panel_of, spec_of
from mlspec.jobs.files import read_table, write_table
from mlspec.jobs.predictions import VERSION, Expected, write_instances
from mlspec.spec.forecast import Forecast
from mlspec.state.resource import Json
from mlspec.state.split import bucket, version_for
from mlspec.state.step import INSTANCES, PREDICTIONS, Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Forecast from the panel's cutoff.

    The option `traffic` says which share of the series each version has, in percent; its model and its backtest, whose residuals
    say how wide the quantiles are, are the inputs `model-VERSION` and `backtest-VERSION`. A version with no share forecasts all
    series beside the others: the output `shadow`. One `version` alone has the inputs `model` and `backtest`; with the option
    `cutoffs` it forecasts from each of these, earlier ones, as it would have done then.

    A server may forecast in its place: with the option `instances` the step writes what to ask it, and with the answers as inputs
    (`predictions-…`) it writes what was answered.
    """
    spec = spec_of(request)
    names = own_names(request, spec)
    if request.options.get(INSTANCES):
        files = {INSTANCES: write_instances(names, request.out / "instances.jsonl")}
        return StepResult(files, {"series": len(names)})
    answers = [path for role, path in sorted(request.inputs.items()) if role.startswith(PREDICTIONS)]
    if answers:
        return _answered(request, spec, names, answers)
    panel, traffic = panel_of(request, spec), _traffic(request)
    if request.options.get("cutoffs"):
        return _again(request, progress, spec, panel, names)
    made = {}
    for place, version in enumerate(traffic):
        progress(place, len(traffic), f"forecast with {version}")
        made[version] = by(request, spec, panel, names, version, alone=len(traffic) == 1)
    progress(len(traffic), len(traffic), "forecast made")
    out = _split(made, names, traffic)
    files = {"forecast": write_table(out, request.out / "forecast.parquet")}
    shadows = [made[version] for version, share in traffic.items() if share == 0]
    if shadows:
        files["shadow"] = write_table(_plain(pd.concat(shadows)), request.out / "shadow.parquet")
    return StepResult(files, _facts(out, names, panel.layout, panel.cutoff))


def _answered(request: StepRequest, spec: Forecast, names: pd.DataFrame, answers: Sequence[Path]) -> StepResult:
    """Write the forecast that a batch prediction job's servers made, as the step itself would have written it."""
    layout, cutoff = layout_of(spec), cutoff_of(request)
    columns = (MEAN, *(column(q) for q in spec.model.quantiles))
    found = Expected(names, layout, cutoff, spec.dataset.time, columns, _traffic(request)).read(answers)
    out = _plain(_named(spec, cutoff, names, found))
    files = {"forecast": write_table(out, request.out / "forecast.parquet")}
    return StepResult(files, _facts(out, names, layout, cutoff))


def _facts(out: pd.DataFrame, names: pd.DataFrame, layout: Layout, cutoff: pd.Timestamp) -> dict[str, Json]:
    text, times = layout.frequency.text, layout.frequency.after(cutoff, layout.horizon)
    return {
        "rows": len(out), "series": len(names), "cutoff": text(cutoff), "start": text(times[0]), "end": text(times[-1]),
    }  # fmt: skip


def _again(request: StepRequest, progress: Progress, spec: Forecast, panel: Panel, names: pd.DataFrame) -> StepResult:
    """Forecast from earlier cutoffs by one version, each from what was known there."""
    (version,), cutoffs, made = _traffic(request), request.options["cutoffs"], []
    for place, cutoff in enumerate(cutoffs):
        progress(place, len(cutoffs), f"forecast with {version} from {cutoff}")
        made.append(by(request, spec, panel.until(pd.Timestamp(cutoff)), names, version, alone=True))
    progress(len(cutoffs), len(cutoffs), "forecasts made")
    out = _plain(pd.concat(made))
    return StepResult({"forecast": write_table(out, request.out / "forecast.parquet")}, {"rows": len(out)})


def _traffic(request: StepRequest) -> dict[str, int]:
    """Return each version's share. Raises UsageError where the caller names no version."""
    found = request.options.get("traffic") or request.options.get("version")
    if not found:
        raise UsageError("step forecast needs the option 'version'", hint="add --option version=VALUE")
    return dict(found) if isinstance(found, Mapping) else {str(found): 100}


def by(
    request: StepRequest, spec: Forecast, panel: Panel, names: pd.DataFrame, version: str, *, alone: bool
) -> pd.DataFrame:
    """Return one version's forecast of all series, by unique_id."""
    role = "" if alone and "model" in request.inputs else f"-{version}"
    model = artifact.load(input_of(request, f"model{role}").read_bytes())
    past = read_table(input_of(request, f"backtest{role}"))
    times = panel.layout.frequency.after(panel.cutoff, panel.layout.horizon)
    found = model.forecast(panel).merge(scales(panel), on=ID, how="left")
    found = spread(
        found.assign(**{STEP: times.get_indexer(found[TIME]) + 1}), past[past[CHAMPION]], spec.model.quantiles
    )
    return _named(spec, panel.cutoff, names, found.assign(**{VERSION: version}))


def _named(spec: Forecast, cutoff: pd.Timestamp, names: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Return unique_id, ds, mean, quantiles and version under the user's names, by unique_id."""
    own = names.reindex(found[ID]).reset_index(drop=True)
    named = {spec.dataset.time: found[TIME], "cutoff": cutoff, "mean": found[MEAN]}
    named |= {column(q): found[column(q)] for q in spec.model.quantiles}
    out = pd.concat([own, pd.DataFrame({**named, VERSION: found[VERSION]})], axis=1)
    return out.set_index(pd.Index(found[ID], name=ID))


def _split(made: Mapping[str, pd.DataFrame], names: pd.DataFrame, traffic: Mapping[str, int]) -> pd.DataFrame:
    """Return each series' rows by the version that it belongs to, in the order of series and time."""
    belongs = {key: version_for(bucket(key), traffic) for key in names.index}
    parts = [rows[[belongs[key] == version for key in rows.index]] for version, rows in made.items()]
    return _plain(pd.concat(parts).sort_index(kind="stable") if len(parts) > 1 else parts[0])


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reset_index(drop=True)
