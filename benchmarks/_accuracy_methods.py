"""The methods that `accuracy.py` compares: mlspec's `candidates: auto`, and what a data scientist would pick from a library.

Each takes a panel and returns a frame of unique_id, ds, mean and the quantiles of an 80 % interval, missing where it has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mlspec.forecast import candidates as families
from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.frame import ID, MEAN, STEP, TARGET, TIME, Panel, horizon_frame
from mlspec.forecast.quantiles import add_quantiles
from mlspec.forecast.scales import series_scales
from mlspec.forecast.selection import gather_competitors, run_competition
from mlspec.forecast.workers import THIS_PROCESS
from mlspec.spec.forecast import Backtest, Model

SCUM, NAIVE, AUTO, TREES = "SCUM", "seasonal naive", "mlspec auto", "LightGBM"
SINGLES = (NAIVE, "ETS", "CES", "theta", "ARIMA", TREES)
QUANTILES, LOW, HIGH = (0.1, 0.5, 0.9), "q0.1", "q0.9"
COLUMNS = [ID, TIME, MEAN, LOW, HIGH]
# ETS of the library has no more states for a season; it refuses a longer one.
LONGEST_SEASON_OF_ETS = 24


@dataclass
class Made:
    """Forecasts by method, CPU seconds by method, and the label of mlspec's champion."""

    forecasts: dict[str, pd.DataFrame] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    champion: str = ""

    def add(self, method: str, make: Callable[[], pd.DataFrame]) -> None:
        """Make a method's forecasts, and note what they took."""
        start = time.process_time()
        self.forecasts[method] = make()
        self.seconds[method] = time.process_time() - start


def make_all(panel: Panel, season: int) -> Made:
    """Return what every method forecasts from a panel's cutoff."""
    made = Made()
    for name, model in _library_models(season).items():
        made.add(name, lambda model=model: _forecast_library(panel, model))
    made.add(TREES, lambda: _forecast_trees(panel, season))
    parts = [made.forecasts[name] for name in ("ETS", "CES", "theta", "ARIMA")]
    made.forecasts[SCUM] = pd.concat(parts).groupby([ID, TIME], as_index=False).median()
    made.seconds[SCUM] = sum(made.seconds[name] for name in ("ETS", "CES", "theta", "ARIMA"))
    made.add(AUTO, lambda: _forecast_auto(panel, made))
    return made


def _library_models(season: int) -> Mapping[str, Any]:
    """Return the models of statsforecast with their defaults and the frequency's season."""
    from statsforecast.models import AutoARIMA, AutoCES, AutoETS, DynamicOptimizedTheta, SeasonalNaive

    return {
        NAIVE: SeasonalNaive(season), "ETS": AutoETS(season_length=season if season <= LONGEST_SEASON_OF_ETS else 1),
        "CES": AutoCES(season_length=season), "theta": DynamicOptimizedTheta(season_length=season),
        "ARIMA": AutoARIMA(season_length=season, approximation=True, nmodels=20 if season > 12 else 94),
    }  # fmt: skip


def _forecast_library(panel: Panel, model: Any) -> pd.DataFrame:
    from statsforecast import StatsForecast
    from statsforecast.models import Naive

    engine = StatsForecast([model], freq=panel.layout.frequency.offset, n_jobs=1, fallback_model=Naive())
    made = engine.forecast(df=panel.frame[[ID, TIME, TARGET]], h=panel.layout.horizon, level=[80])
    ends = {f"{model!r}-lo-80": LOW, f"{model!r}-hi-80": HIGH}
    return made.rename(columns={repr(model): MEAN, **ends})[COLUMNS]


def _forecast_trees(panel: Panel, season: int) -> pd.DataFrame:
    """Return LightGBM's forecasts on each series' differences, with the lags that mlforecast's guide begins with."""
    from lightgbm import LGBMRegressor
    from mlforecast import MLForecast
    from mlforecast.target_transforms import Differences

    lags = sorted({*range(1, min(season, 12) + 1), season})
    engine = MLForecast(
        models={MEAN: LGBMRegressor(random_state=0, n_jobs=1, verbose=-1)}, freq=panel.layout.frequency.offset, lags=lags,
        target_transforms=[Differences([1])], num_threads=1,
    )  # fmt: skip
    known = list(panel.layout.known)
    engine.fit(panel.frame[[ID, TIME, TARGET, *known]], static_features=[])
    ahead = panel.future[[ID, TIME, *known]] if known else None
    made = engine.predict(panel.layout.horizon, X_df=ahead)
    return made.assign(**{LOW: float("nan"), HIGH: float("nan")})[COLUMNS]


def _forecast_auto(panel: Panel, made: Made) -> pd.DataFrame:
    """Return the mean and the quantiles of the champion of mlspec's backtest on the history."""
    model = Model(horizon=panel.layout.horizon, quantiles=QUANTILES, backtest=Backtest(windows=4))
    competitors = gather_competitors(panel, model, None, THIS_PROCESS)
    outcome = run_competition(panel, model, competitors, lambda *_: None, THIS_PROCESS)
    parts = [
        forecast_means(families.fit_candidate(member, panel, model.seed), panel, member.label)
        for member in outcome.members
    ]
    mean = families.combine_means([part[MEAN] for part in parts], outcome.champion.combine)
    times = panel.layout.frequency.periods_after(panel.cutoff, panel.layout.horizon)
    rows = horizon_frame(panel).assign(**{MEAN: mean}).merge(series_scales(panel), on=ID, how="left")
    rows = rows.assign(**{STEP: times.get_indexer(rows[TIME]) + 1})
    made.champion = outcome.champion.label
    return add_quantiles(rows, outcome.champion_rows, QUANTILES)[COLUMNS]
