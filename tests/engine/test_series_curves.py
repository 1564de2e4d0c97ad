"""What a chart shows as history is what somebody recorded, in a series and in the total."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mlspec.engine.series_curves import CurveSource, load_curves, load_total_curve
from mlspec.spec.forecast import Forecast

WEEKS = pd.date_range("2024-01-05", periods=3, freq="W-FRI")
SPEC = Forecast.model_validate({
    "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": "shop"},
    "dataset": {
        "source": {"uri": "data/sales.csv"}, "time": "week", "series": ["store"], "target": "units", "frequency": "W-FRI",
        "actuals": {"min_coverage": 0.5},
    },
    "model": {"horizon": 1, "quantiles": [0.5]},
})  # fmt: skip


def curve_source(folder: Path, observed: dict[str, list[bool]]) -> CurveSource:
    """Files of series that have 10 in each of three weeks, filled in where they are not observed, and one forecast week."""
    frames = {
        "panel": pd.concat([
            pd.DataFrame({"unique_id": name, "ds": WEEKS, "y": 10.0, "observed": known})
            for name, known in observed.items()
        ]),
        "series": pd.DataFrame({"unique_id": list(observed), "id_store": list(observed)}),
        "backtest": pd.DataFrame({"unique_id": list(observed), "ds": WEEKS[2], "mean": 9.0, "candidate": "theta"}),
        "forecast": pd.DataFrame({"store": list(observed), "week": WEEKS[2] + pd.Timedelta("7D"), "mean": 11.0}),
    }  # fmt: skip
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
    files = {name: folder / f"{name}.parquet" for name in frames}
    return CurveSource(
        SPEC, [files["panel"]], files["series"], files["backtest"], "theta", files["forecast"], None, None
    )


def test_a_value_that_was_filled_in_is_no_point_of_the_history(tmp_path: Path) -> None:
    source = curve_source(tmp_path, {"a": [True, False, True], "b": [True, True, True]})
    curves = load_curves(source)
    assert curves["a"].actual == [10.0, None, 10.0, None]
    assert curves["b"].actual == [10.0, 10.0, 10.0, None]


def test_the_total_sums_what_was_recorded_where_enough_series_have_a_value(tmp_path: Path) -> None:
    """Half of the series have to have one: two of four in the second week, one in the third."""
    full = [True, True, True]
    source = curve_source(
        tmp_path, {"a": full, "b": [True, True, False], "c": [True, False, False], "d": [True, False, False]}
    )
    assert load_total_curve(source).actual == [40.0, 20.0, None, None]
