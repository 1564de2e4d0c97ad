"""Every kind of candidate takes a panel with columns of all kinds: covariates as numbers and texts, and what is no covariate."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import FAMILIES, fit_candidate
from mlspec.forecast.frame import AVAILABLE, ID, MEAN
from mlspec.spec.candidates import Candidate
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
