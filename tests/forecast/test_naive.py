"""The seasonal naive: its numbers are those of statsforecast's, which it does not wait for."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, cast

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.candidates.naive import fit
from mlspec.forecast.frame import ID, TARGET, TIME, Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.spec.candidates import SeasonalNaive

LENGTHS = st.lists(st.integers(1, 20), min_size=1, max_size=4)


def panel(lengths: list[int], horizon: int) -> Panel:
    """Series of these lengths that end on one day."""
    days = pd.date_range(end="2024-03-01", periods=max(lengths))
    values = np.random.default_rng(0).normal(size=sum(lengths))
    parts = [pd.DataFrame({ID: f"s{number}", TIME: days[-length:]}) for number, length in enumerate(lengths)]
    frame = pd.concat(parts, ignore_index=True).assign(**{TARGET: values})
    return Panel(frame, frame[[ID]].drop_duplicates(), frame[[ID, TIME]][:0], Layout(parse_frequency("D"), horizon, 7))


@given(LENGTHS, st.integers(1, 9), st.integers(2, 8))
def test_it_is_statsforecast_s_and_the_last_value_where_a_season_is_not_whole(
    lengths: list[int], horizon: int, season: int
) -> None:
    from statsforecast import models

    history = panel(lengths, horizon)
    candidate = SeasonalNaive(kind="seasonal-naive", season=season)
    means = fit(candidate, history, 0, cast("Any", None)).forecast(history)["mean"].to_numpy()
    wanted = [
        (models.SeasonalNaive(season) if len(values) >= season else models.Naive()).forecast(
            values.to_numpy(), horizon
        )["mean"]
        for _, values in history.frame.groupby(ID)[TARGET]
    ]
    np.testing.assert_array_equal(means, np.concatenate(wanted))


def test_it_imports_no_library_of_models() -> None:
    code = "import sys, mlspec.forecast.candidates.naive; print({'statsforecast', 'statsmodels', 'sklearn'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
