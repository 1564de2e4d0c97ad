"""Step `forecast`: every series over the horizon, with quantiles, by the version that it belongs to, under the user's names."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mlspec.errors import UsageError
from mlspec.forecast import artifact
from mlspec.forecast.compete import CHAMPION
from mlspec.forecast.frame import ID, MEAN, TIME, Panel
from mlspec.forecast.quantiles import STEP, column, spread
from mlspec.forecast.scales import scales
from mlspec.jobs.context import input_of, own_names, panel_of, spec_of
from mlspec.jobs.files import read_table, write_table
from mlspec.spec.forecast import Forecast
from mlspec.state.split import bucket, version_for
from mlspec.state.step import Progress, StepRequest, StepResult

VERSION = "version"


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Forecast from the panel's cutoff.

    The option `traffic` says which share of the series each version has, in percent; its model and its backtest, whose residuals
    say how wide the quantiles are, are the inputs `model-VERSION` and `backtest-VERSION`. A version with no share forecasts all
    series beside the others: the output `shadow`. One `version` alone has the inputs `model` and `backtest`; with the option
    `cutoffs` it forecasts from each of these, earlier ones, as it would have done then.
    """
    spec = spec_of(request)
    panel, names = panel_of(request, spec), own_names(request, spec)
    traffic = _traffic(request)
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
    text = panel.layout.frequency.text
    times = panel.layout.frequency.after(panel.cutoff, panel.layout.horizon)
    facts = {
        "rows": len(out), "series": len(names), "cutoff": text(panel.cutoff), "start": text(times[0]), "end": text(times[-1]),
    }  # fmt: skip
    return StepResult(files, facts)


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
    own = names.reindex(found[ID]).reset_index(drop=True)
    named = {spec.dataset.time: found[TIME], "cutoff": panel.cutoff, "mean": found[MEAN]}
    named |= {column(q): found[column(q)] for q in spec.model.quantiles}
    out = pd.concat([own, pd.DataFrame(named)], axis=1).assign(**{VERSION: version})
    return out.set_index(pd.Index(found[ID], name=ID))


def _split(made: Mapping[str, pd.DataFrame], names: pd.DataFrame, traffic: Mapping[str, int]) -> pd.DataFrame:
    """Return each series' rows by the version that it belongs to, in the order of series and time."""
    belongs = {key: version_for(bucket(key), traffic) for key in names.index}
    parts = [rows[[belongs[key] == version for key in rows.index]] for version, rows in made.items()]
    return _plain(pd.concat(parts).sort_index(kind="stable") if len(parts) > 1 else parts[0])


def _plain(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.reset_index(drop=True)
