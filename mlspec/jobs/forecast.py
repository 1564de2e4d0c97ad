"""Step `forecast`: the model's forecast of every series over the horizon, with quantiles, under the user's column names."""

from __future__ import annotations

import pandas as pd

from mlspec.forecast import artifact
from mlspec.forecast.compete import CHAMPION
from mlspec.forecast.frame import ID, MEAN, TIME
from mlspec.forecast.quantiles import STEP, column, spread
from mlspec.forecast.scales import scales
from mlspec.jobs.context import input_of, option, own_names, panel_of, spec_of
from mlspec.jobs.files import read_table, write_table
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Forecast from the panel's cutoff. The residuals of the backtest say how wide the quantiles are."""
    spec = spec_of(request)
    version = str(option(request.options, "version", "forecast"))
    panel = panel_of(request, spec)
    model = artifact.load(input_of(request, "model").read_bytes())
    progress(0, 1, f"forecast with {model.label}")
    past = read_table(input_of(request, "backtest"))
    times = panel.layout.frequency.after(panel.cutoff, panel.layout.horizon)
    found = model.forecast(panel).merge(scales(panel), on=ID, how="left")
    found = spread(
        found.assign(**{STEP: times.get_indexer(found[TIME]) + 1}), past[past[CHAMPION]], spec.model.quantiles
    )
    names = own_names(request, spec).reindex(found[ID]).reset_index(drop=True)
    named = {spec.dataset.time: found[TIME], "cutoff": panel.cutoff, "mean": found[MEAN]}
    named |= {column(q): found[column(q)] for q in spec.model.quantiles}
    out = pd.concat([names, pd.DataFrame(named)], axis=1).assign(version=version)
    progress(1, 1, "forecast made")
    text = panel.layout.frequency.text
    facts = {
        "rows": len(out), "series": int(found[ID].nunique()), "cutoff": text(panel.cutoff),
        "start": text(times[0]), "end": text(times[-1]),
    }  # fmt: skip
    return StepResult({"forecast": write_table(out, request.out / "forecast.parquet")}, facts)
