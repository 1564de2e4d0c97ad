"""Seasonal naive: the value one season ago. It is the baseline that other candidates have to beat.

It is computed here and not by statsforecast: to import the models of that library takes seconds, and this one is a line of numpy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Panel, horizon_frame
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import SeasonalNaive


@dataclass(frozen=True)
class RepeatedSeason:
    """Repeats the last `season` periods of each series; the last value of a series that has fewer."""

    season: int

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean, sorted."""
        ends = panel.frame.groupby(ID, sort=False)[TIME].size().cumsum().to_numpy()
        counts = np.diff(ends, prepend=0)
        seasons = np.where(counts >= self.season, max(self.season, 1), 1)[:, np.newaxis]
        places = ends[:, np.newaxis] - seasons + np.arange(panel.layout.horizon) % seasons
        means = panel.frame[TARGET].to_numpy(dtype="float64")[places.ravel()]
        return horizon_frame(panel).assign(**{MEAN: means}).sort_values([ID, TIME], ignore_index=True)

    def to_bytes(self) -> bytes | None:
        """Return None: it needs no training."""
        return None


def fit(candidate: SeasonalNaive, panel: PartedPanel, seed: int, workers: Workers) -> RepeatedSeason:
    """Return the candidate; it needs no training."""
    del seed, workers
    return RepeatedSeason(candidate.season or panel.layout.season)
