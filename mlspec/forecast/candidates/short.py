"""Forecasts series that are too short for a model by their last value."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Panel, horizon_frame

# Fewest periods for exponential smoothing and theta; statsforecast refuses fewer than 7.
LEAST = 8


def forecast_by_length(panel: Panel, least: int, forecast: Callable[[Panel], pd.DataFrame]) -> pd.DataFrame:
    """Return unique_id, ds, mean of all series, sorted: `forecast` for those of `least` periods or more."""
    lengths = panel.series_lengths
    long, short = lengths.index[lengths >= least], lengths.index[lengths < least]
    parts = [forecast(panel.select_series(long))] if len(long) else []
    parts += [last_value(panel.select_series(short))] if len(short) else []
    return pd.concat(parts)[[ID, TIME, MEAN]].sort_values([ID, TIME], ignore_index=True)


def last_value(panel: Panel) -> pd.DataFrame:
    """Return unique_id, ds, mean: each series' last value."""
    last = panel.frame.groupby(ID, sort=True)[TARGET].last()
    ahead = horizon_frame(panel)
    return ahead.assign(**{MEAN: ahead[ID].map(last).astype("float64")})
