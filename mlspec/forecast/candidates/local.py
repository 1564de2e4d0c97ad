"""Shared code of the statistical families: one statsforecast model per series, with a simpler forecast for short series.

The fitted state is not stored. Level, trend and season must be estimated from the newest history at each forecast anyway, and the
estimation is deterministic. The settings (kind, season, library version) are enough to repeat it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast.candidates.short import LEAST, forecast_by_length
from mlspec.forecast.frame import ID, MEAN, TARGET, TIME, Panel, describe_series

Build = Callable[[int], Any]  # a season (1 for none) to a statsforecast model


@dataclass(frozen=True)
class StatisticalModel:
    """A statistical candidate. `build` makes the model for a season.

    A series shorter than `seasons` times the season is forecast without one, and one of fewer than `least` periods by its
    last value.
    """

    label: str
    build: Build
    season: int
    seasons: int
    least: int = LEAST

    def forecast(self, panel: Panel) -> pd.DataFrame:
        """Return unique_id, ds, mean, series by series."""
        return forecast_by_length(panel, self.least, self._forecast_long_series)

    def _forecast_long_series(self, panel: Panel) -> pd.DataFrame:
        lengths = panel.series_lengths()
        seasonal = (lengths >= self.season * self.seasons) & (self.season > 1)
        groups = [(self.season, lengths.index[seasonal]), (1, lengths.index[~seasonal])]
        return pd.concat(
            [
                _forecast_group(self.label, self.build(season), panel.select_series(ids))
                for season, ids in groups
                if len(ids)
            ]
        )

    def to_bytes(self) -> bytes | None:
        """Return None: each forecast estimates the model from the panel."""
        return None


def _forecast_group(label: str, model: Any, panel: Panel) -> pd.DataFrame:
    from statsforecast import StatsForecast

    engine = StatsForecast(models=[model], freq=panel.layout.frequency.offset, n_jobs=1)
    frame = panel.frame[[ID, TIME, TARGET]]
    try:
        means = engine.forecast(df=frame, h=panel.layout.horizon)
    except MemoryError:  # not an error of the candidate
        raise
    except Exception as error:  # the library raises bare Exception
        names = describe_series([str(name) for name in frame[ID].unique()])
        raise ModelError(
            f"candidate '{label}' cannot be fitted to series {names}: {error}",
            hint="leave this candidate out of model.candidates, or give it another season",
        ) from error
    means.columns = [ID, TIME, MEAN]
    return means.astype({MEAN: "float64"})
