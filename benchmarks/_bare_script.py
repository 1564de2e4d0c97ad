"""What a data scientist writes without mlspec: the same lags, trees, windows and threads, by mlforecast and LightGBM.

Run: python benchmarks/_bare_script.py FOLDER THREADS SETTINGS. The settings are JSON: `lags`, `windows` of rolling means, and
`differenced`. It reads the sales with pandas, backtests the seasonal naive and the trees over three windows, and trains on all; it
writes the trees and prints the WAPE of both. It imports nothing of mlspec.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
from _retail_panel import HORIZON, ITERATIONS, SOURCE, WINDOWS
from lightgbm import LGBMRegressor
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from mlforecast.target_transforms import Differences, LocalStandardScaler
from statsforecast import StatsForecast
from statsforecast.models import SeasonalNaive


def main() -> None:
    """Backtest, train, print."""
    folder, threads, settings = Path(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
    frame = pd.read_csv(folder / SOURCE, parse_dates=["date"])
    frame["unique_id"] = frame["store"] + "/" + frame["item"]
    frame = frame.rename(columns={"date": "ds", "units": "y"})[["unique_id", "ds", "y", "promo"]]
    trees = LGBMRegressor(
        n_estimators=ITERATIONS, learning_rate=0.05, num_leaves=15, random_state=0, deterministic=True, force_row_wise=True,
        n_jobs=threads, verbose=-1,
    )  # fmt: skip
    engine = MLForecast(
        models={"trees": trees}, freq="D", lags=settings["lags"],
        lag_transforms={1: [RollingMean(window, min_samples=1) for window in settings["windows"]]},
        date_features=["dayofweek", "day", "month", "dayofyear"],
        target_transforms=[*([Differences([1])] if settings["differenced"] else []), LocalStandardScaler()],
        num_threads=threads,
    )  # fmt: skip
    windows = {"h": HORIZON, "n_windows": WINDOWS, "step_size": HORIZON}
    naive = StatsForecast(models=[SeasonalNaive(7)], freq="D", n_jobs=1)
    scored = naive.cross_validation(df=frame[["unique_id", "ds", "y"]], **windows)
    by_trees = engine.cross_validation(frame, static_features=[], dropna=False, **windows)
    scored = scored.merge(by_trees[["unique_id", "ds", "trees"]], on=["unique_id", "ds"])
    engine.fit(frame, static_features=[], dropna=False)
    engine.models_["trees"].booster_.save_model(folder / "bare.txt")
    total = scored["y"].abs().sum()
    errors = {name: (scored["y"] - scored[name].clip(lower=0)).abs().sum() for name in ("SeasonalNaive", "trees")}
    print(json.dumps({name: float(error / total) for name, error in errors.items()}))


if __name__ == "__main__":
    main()
