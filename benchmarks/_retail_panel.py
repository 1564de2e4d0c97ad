"""Daily sales as a retailer with many items has them, made from a seed: a weekly season, zeros, promotions. And their spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HORIZON, WINDOWS, ITERATIONS = 28, 3, 200
SOURCE, PLAN = "data/sales.csv", "data/plan.csv"
PER_STORE = 100  # items of a store
BLOCK = 3_000  # series that are made at once
NEWEST = "2025-10-31"  # of the history; the plan has the days after it


def write_panel(folder: Path, series: int, days: int) -> None:
    """Write history and plan of promotions. More than half of the items' days have no sale, as in the M5 competition."""
    generator = np.random.default_rng(series)
    dates = pd.date_range(pd.Timestamp(NEWEST) - pd.Timedelta(days=days - 1), periods=days + HORIZON)
    (folder / "data").mkdir(parents=True)
    for first in range(0, series, BLOCK):  # a panel of tens of millions of rows does not fit as one frame
        frame = _sales(generator, range(first, min(first + BLOCK, series)), dates)
        ahead = np.tile(np.arange(len(dates)) >= days, len(frame) // len(dates))
        for file, rows in ((SOURCE, frame[~ahead]), (PLAN, frame[ahead].drop(columns="units"))):
            rows.to_csv(folder / file, index=False, mode="a", header=first == 0)


def _sales(generator: np.random.Generator, items: range, dates: pd.DatetimeIndex) -> pd.DataFrame:
    week = 1 + 0.35 * np.isin(dates.dayofweek, (4, 5)) - 0.15 * (dates.dayofweek == 1)
    year = 1 + 0.2 * np.sin(2 * np.pi * dates.dayofyear / 365.25)
    level = generator.lognormal(-0.4, 1.0, len(items))[:, None]
    promo = generator.random((len(items), len(dates))) < 0.05
    units = generator.poisson(level * np.asarray(week * year) * np.where(promo, 2.0, 1.0))
    return pd.DataFrame({
        "store": np.array([f"S{place // PER_STORE:03}" for place in items], dtype=object).repeat(len(dates)),
        "item": np.array([f"I{place % PER_STORE:04}" for place in items], dtype=object).repeat(len(dates)),
        "date": np.tile(dates.strftime("%Y-%m-%d").to_numpy(), len(items)),
        "units": units.ravel(), "promo": promo.ravel().astype("int64"),
    })  # fmt: skip


TREES = {"kind": "gradient-boosting", "library": "lightgbm", "iterations": ITERATIONS}


def spec(candidate: Mapping[str, Any] = TREES, windows: int = WINDOWS) -> dict[str, Any]:
    """Return the spec of the sales: the baseline and a candidate, over some windows, and stock levels."""
    return {
        "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": "sales"},
        "dataset": {
            "source": {"uri": SOURCE}, "time": "date", "series": ["store", "item"], "target": "units", "frequency": "D",
            "covariates": {"known": ["promo"]}, "future": {"uri": PLAN}, "checks": {"range": {"units": {"min": 0}}},
        },
        "model": {
            "horizon": HORIZON, "quantiles": [0.1, 0.5, 0.9],
            "candidates": [
                {"kind": "seasonal-naive"},
                candidate,
            ],
            "backtest": {"windows": windows, "step": HORIZON},
        },
        "inventory": {"service_level": 0.95, "lead_time": 7},
    }  # fmt: skip
