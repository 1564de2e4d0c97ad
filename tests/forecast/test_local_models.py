"""A model that cannot be fitted to one of many series leaves the others as they are."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from statsforecast.models import Theta

from mlspec.forecast.candidates.local import forecast_models
from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Layout
from mlspec.forecast.frequency import parse_frequency

DAYS = pd.date_range("2024-01-01", periods=28)
LAYOUT = Layout(parse_frequency("D"), 3, 7)


class Failing(Theta):  # type: ignore[misc]
    """A model that fails where a series reaches a thousand."""

    def forecast(self, y: np.ndarray, **words: Any) -> Any:
        if y.max() >= 1000:
            raise ValueError("no finite likelihood")
        return {"mean": np.full(words["h"], 5.0)}


def test_theta_forecasts_a_series_to_which_the_model_cannot_be_fitted_and_the_log_says_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [
        pd.DataFrame({ID: name, TIME: DAYS, TARGET: level + np.arange(28.0) % 7})
        for name, level in (("a", 1.0), ("b", 1000.0))
    ]
    with caplog.at_level(logging.WARNING):
        means = forecast_models("failing", Failing(season_length=7), pd.concat(rows, ignore_index=True), LAYOUT)
    assert (means.loc[means[ID] == "a", MEAN] == 5.0).all()
    assert means.loc[means[ID] == "b", MEAN].between(990, 1010).all()
    assert caplog.messages == ["candidate 'failing' cannot be fitted to 1 series, which theta forecasts"]
