"""The actual values beside which forecasts are read outside of mlspec, as files of the step `evaluate`: one for each year."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mlspec.forecast.frame import ID, TARGET, TIME
from mlspec.forecast.realised import Maturity, actual_values
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.jobs.context import forecast_names
from mlspec.jobs.files import write_table
from mlspec.spec.forecast import Forecast
from mlspec.state.series_key import series_key
from mlspec.state.step import ACTUALS, ACTUALS_SINCE, StepRequest


def write_actuals(
    request: StepRequest, spec: Forecast, panel: PartedPanel, maturity: Maturity, now: pd.Timestamp
) -> dict[str, Path]:
    """Write what is known of the years since the option `actuals_since`, and return the files by role; none without the option.

    Their columns are `series`, the key as JSON, `time` and `actual`. A year that is over is the same file until its data change.
    """
    since = request.options.get(ACTUALS_SINCE)
    if not since:
        return {}
    names = forecast_names(request, spec)
    keys = pd.Series([series_key(row) for row in names.to_dict("records")], index=names.index, dtype=object)
    values = actual_values(panel, pd.Timestamp(since), maturity, now)
    values = values[values[ID].isin(names.index)]
    table = pd.DataFrame(
        {"series": values[ID].map(keys), "time": values[TIME], "actual": values[TARGET].astype("float64")}
    )
    return {
        f"{ACTUALS}{year}": write_table(rows, request.out / f"{ACTUALS}{year}.parquet")
        for year, rows in table.groupby(table["time"].dt.year, sort=True)
    }
