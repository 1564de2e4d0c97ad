"""A project with a model of its own, for tests: a file beside its data, and what the pipeline makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.examples import sales
from tests.jobs.pipeline import Pipeline

GOOD = '''\
import json


class PromoModel:
    """The mean of each weekday over the last weeks."""

    def __init__(self, weeks=4):
        self.weeks = weeks
        self.means = {}

    def fit(self, history, future, context):
        recent = history[history["ds"] > history["ds"].max() - (history["ds"].max() - history["ds"].min()) * self.weeks / 9]
        means = recent.groupby(["unique_id", recent["ds"].dt.dayofweek])["y"].mean()
        self.means = {f"{series} {day}": float(value) for (series, day), value in means.items()}

    def predict(self, history, future, context):
        days = future["ds"].dt.dayofweek
        means = [self.means[f"{series} {day}"] for series, day in zip(future["unique_id"], days)]
        return future[["unique_id", "ds"]].assign(mean=means)

    def save(self, folder):
        (folder / "means.json").write_text(json.dumps(self.means, sort_keys=True))

    @classmethod
    def load(cls, folder):
        model = cls()
        model.means = json.loads((folder / "means.json").read_text())
        return model
'''
NAIVE: dict[str, Any] = {"kind": "seasonal-naive", "season": 7}
PROMO: dict[str, Any] = {"kind": "custom", "class": "models.promo:PromoModel", "timeout": "60s"}


def write_model(root: Path, text: str = GOOD, path: str = "models/promo.py") -> Path:
    """Write a file of the project, and return its path."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def changed(old: str, new: str) -> str:
    """Return the good model with one text replaced."""
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new)


def pipeline(root: Path, *candidates: dict[str, Any], text: str = GOOD, **model: Any) -> Pipeline:
    """Return a project whose data is checked, with these candidates. Each window of a backtest is two processes of a model."""
    write_model(root, text)
    listed = list(candidates or (NAIVE, PROMO))
    run = Pipeline(
        root, model={"candidates": listed, "gate": [], "backtest": {"windows": 1}, **model}, inventory=None
    ).data(sales())
    assert run.check()["ok"]
    return run
