"""A pipeline of scikit-learn as a model of this project: ridge regression on the calendar and on the level of the last weeks.

docs/own-model.md shows it at work. One model learns from all series. Each is divided by its level: its mean over the last weeks
before the cutoff, and for a row that is learnt from, before a cutoff one horizon earlier.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from mlspec.models import ModelContext
from mlspec.models.storage import load_estimator, save_estimator


class RidgePipeline:
    """Ridge regression. `weeks` is the length of the level, `alpha` the strength of the shrinkage."""

    def __init__(self, weeks: int = 4, alpha: float = 10.0) -> None:
        self.days, self.alpha = 7 * weeks, alpha
        self.pipeline = None

    def fit(self, history: pd.DataFrame, future: pd.DataFrame, context: ModelContext) -> None:
        levels = history.groupby("unique_id")["y"].transform(
            lambda y: y.rolling(self.days, min_periods=7).mean().shift(context.horizon)
        )
        rows = history.assign(level=levels)
        rows = rows[rows["observed"] & (rows["level"] > 0)]
        self.pipeline = make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge(alpha=self.alpha))
        self.pipeline.fit(features(rows), rows["y"] / rows["level"])

    def predict(self, history: pd.DataFrame, future: pd.DataFrame, context: ModelContext) -> pd.DataFrame:
        level = history.groupby("unique_id")["y"].apply(lambda y: y.tail(self.days).mean())
        shares = self.pipeline.predict(features(future))
        return future[["unique_id", "ds"]].assign(mean=shares * future["unique_id"].map(level).to_numpy())

    def save(self, folder: Path) -> None:
        save_estimator(self.pipeline, folder / "pipeline.skops")
        (folder / "about.json").write_text(json.dumps({"days": self.days}))

    @classmethod
    def load(cls, folder: Path) -> "RidgePipeline":
        model = cls()
        model.days = json.loads((folder / "about.json").read_text())["days"]
        model.pipeline = load_estimator(folder / "pipeline.skops")
        return model


def features(rows: pd.DataFrame) -> np.ndarray:
    """Return the weekday and the time of the year of each row."""
    angle = 2 * np.pi * rows["ds"].dt.dayofyear / 365.25
    weekdays = [rows["ds"].dt.dayofweek == day for day in range(6)]
    return np.column_stack([np.sin(angle), np.cos(angle), *weekdays]).astype(float)
