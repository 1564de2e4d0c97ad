"""Every kind of candidate takes a panel with columns of all kinds: covariates as numbers and texts, and what is no covariate."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest

from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import FAMILIES, fit_candidate
from mlspec.forecast.features import CategoryEncoder, feature_matrix
from mlspec.forecast.frame import AVAILABLE, ID, MEAN
from mlspec.spec.candidates import Candidate, GradientBoosting
from tests.forecast.test_stored_panel import WHOLE

SERIES = WHOLE.select_series(WHOLE.series[ID][:4])
OPTIONS: dict[str, dict[str, Any]] = {"gradient-boosting": {"lags": (1, 7), "iterations": 5}}


@pytest.mark.parametrize("kind", [kind for kind in FAMILIES if kind != "custom"])
def test_a_candidate_forecasts_a_panel_with_columns_of_all_kinds(kind: str) -> None:
    """A model of the project's own gets the covariates as they are."""
    assert {AVAILABLE, "x_price", "x_offer"} <= set(SERIES.frame)
    (one,) = (
        part for part in get_args(get_args(Candidate)[0]) if get_args(part.model_fields["kind"].annotation) == (kind,)
    )
    candidate = one(kind=kind, **OPTIONS.get(kind, {}))
    means = forecast_means(fit_candidate(candidate, SERIES, 0), SERIES, kind)
    assert means.groupby(ID)[MEAN].size().tolist() == [SERIES.layout.horizon] * 4
    assert np.isfinite(means[MEAN]).all()


@pytest.mark.filterwarnings("ignore:Found null values:UserWarning")
def test_trees_leave_a_column_without_any_value_alone() -> None:
    """Such as the lag of a past covariate that is longer than the history."""
    empty = replace(SERIES, frame=SERIES.frame.assign(x_price=np.nan))
    without = replace(
        SERIES, frame=SERIES.frame.drop(columns="x_price"), layout=replace(SERIES.layout, past=("x_offer",))
    )
    candidate = GradientBoosting(kind="gradient-boosting", lags=(1, 7), iterations=5)
    one, other = (
        forecast_means(fit_candidate(candidate, panel, 0), panel, "trees")[MEAN] for panel in (empty, without)
    )
    assert one.tolist() == other.tolist()


def test_a_column_may_have_the_name_of_another_ones_lag() -> None:
    horizon = SERIES.layout.horizon
    lagged = f"x_price_lag{horizon}"
    columns = {lagged: 1.0}
    panel = replace(
        SERIES,
        frame=SERIES.frame.assign(**columns),
        future=SERIES.future.assign(**columns),
        layout=replace(SERIES.layout, known=(*SERIES.layout.known, lagged)),
    )
    made = feature_matrix(panel, CategoryEncoder.from_panel(panel))
    assert (made.history[lagged] == 1.0).all()
    assert (made.ahead[lagged] == 1.0).all()
    assert (
        len(made.history.columns) == len(feature_matrix(SERIES, CategoryEncoder.from_panel(SERIES)).history.columns) + 1
    )
