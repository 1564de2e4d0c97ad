"""What a model of the project's own brings in some windows only: quantiles, or no forecast."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from mlspec.errors import BrokenModel
from mlspec.forecast.backtest import MEANS, NOTES, forecast_windows
from mlspec.forecast.frame import ID, MEAN, OBSERVED, TARGET, TIME, Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.quantiles import own_column
from mlspec.forecast.workers import THIS_PROCESS
from mlspec.spec.candidates import SeasonalNaive, Theta
from mlspec.state.resource import Json

NAIVE, OWN = "{naive", "{own"
CANDIDATES = {NAIVE: SeasonalNaive(kind="seasonal-naive"), OWN: Theta(kind="theta")}
Frames = Mapping[str, pd.DataFrame]


def demand() -> Panel:
    frame = pd.DataFrame({ID: "s", TIME: pd.date_range("2024-01-01", periods=28), TARGET: 5.0, OBSERVED: True})
    return Panel(frame, pd.DataFrame({ID: ["s"]}), frame[[ID, TIME]][:0], Layout(parse_frequency("D"), 2, 7))


def means(cutoff: str, **own: float) -> Frames:
    times = pd.date_range(pd.Timestamp(cutoff) + pd.Timedelta(days=1), periods=2)
    frame = pd.DataFrame({ID: "s", TIME: times, MEAN: 4.0}).assign(**own)
    return {MEANS: frame, NOTES: pd.DataFrame({NOTES: []}, dtype=object)}


def made_by(model: Callable[[str], Frames]) -> tuple[pd.DataFrame, Mapping[str, str]]:
    def keep(made_from: Json, make: Callable[[], Frames]) -> Frames:
        assert isinstance(made_from, Mapping)
        return model(str(made_from["cutoff"])) if made_from["candidate"] == OWN else make()

    panel = demand()
    cuts = [panel.times[-5], panel.times[-3]]
    made = forecast_windows(panel, cuts, dict(CANDIDATES), 1, lambda *_: None, THIS_PROCESS, keep)
    return made.means, made.broken


def test_quantiles_that_a_model_brings_in_one_window_are_missing_in_the_others() -> None:
    column = own_column(0.9)
    for first, last in ({column: 9.0}, {}), ({}, {column: 9.0}):
        given = iter((first, last))
        forecasts, _broken = made_by(lambda cutoff, given=given: means(cutoff, **next(given)))  # type: ignore[misc]
        assert list(forecasts[OWN]) == [4.0] * 4
        np.testing.assert_array_equal(
            forecasts[OWN + column], [*[first.get(column, np.nan)] * 2, *[last.get(column, np.nan)] * 2]
        )


def test_a_model_that_breaks_in_the_last_window_is_left_out_of_all() -> None:
    answers = iter([means])

    def model(cutoff: str) -> Frames:
        for answer in answers:
            return answer(cutoff)
        raise BrokenModel("candidate 'own': raised")

    forecasts, broken = made_by(model)
    assert list(forecasts) == [NAIVE]
    assert list(forecasts[NAIVE]) == [5.0] * 4
    assert broken == {OWN: "candidate 'own': raised"}
