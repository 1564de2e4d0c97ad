"""`model.season`: data with seasons of their own are forecast by them, by every candidate that names none itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.jobs.context import panel_layout
from mlspec.spec.forecast import Forecast
from tests.jobs.pipeline import Pipeline

DAYS = pd.date_range("2024-01-01", periods=80)
SHIFTS = (4, 9, 2, 7, 7, 1, 8, 3, 6, 5)  # repeat every ten days
DATASET = {
    "source": {"uri": "data/sales.csv"},
    "time": "date",
    "series": ["store"],
    "target": "units",
    "frequency": "D",
}


def forecast_with(folder: Path, model: dict[str, Any]) -> Pipeline:
    """Go from the data to a backtest."""
    folder.mkdir()
    rows = [f"{day:%Y-%m-%d},north,{SHIFTS[number % 10]}" for number, day in enumerate(DAYS)]
    line = Pipeline(folder, dataset=DATASET, model={"horizon": 10, "backtest": {"windows": 2, "step": 10}, **model})
    line.data("\n".join(["date,store,units", *rows])).check()
    line.run("backtest", incumbent=None)
    return line


def wapes(line: Pipeline) -> dict[str, float]:
    return {row["name"]: row["metrics"]["wape"] for row in line.facts["backtest"]["candidates"]}


def test_models_of_one_season_take_the_first_unless_they_name_their_own(tmp_path: Path) -> None:
    naive, weekly = {"kind": "seasonal-naive"}, {"kind": "seasonal-naive", "name": "weekly", "season": 7}
    own = wapes(forecast_with(tmp_path / "own", {"season": [10, 20], "candidates": [naive, weekly]}))
    usual = wapes(forecast_with(tmp_path / "usual", {"candidates": [naive]}))
    assert own["seasonal-naive"] == 0.0
    assert own["weekly"] == pytest.approx(usual["seasonal-naive"])
    assert usual["seasonal-naive"] > 0.3


def test_models_of_several_seasons_and_lags_take_all_of_them() -> None:
    model = {"horizon": 2, "season": [10, 300]}
    head = {"apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": "x"}}
    spec = Forecast.model_validate({**head, "dataset": DATASET, "model": model})
    layout = panel_layout(spec)
    assert (layout.season, layout.frequency.seasons) == (10, (10, 300))
    plain = panel_layout(spec.model_copy(update={"model": spec.model.model_copy(update={"season": None})}))
    assert (plain.season, plain.frequency.seasons) == (7, (7, 365.25))
