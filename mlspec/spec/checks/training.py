"""Checks of training on a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.candidates import GradientBoosting
from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast


def check_trees(forecast: Forecast) -> Iterator[Problem]:
    """Gradient boosting on a cluster uses LightGBM: scikit-learn needs all features in the memory of one machine."""
    entries = forecast.model.candidates
    if forecast.training.engine is None or isinstance(entries, str):
        return
    for index, candidate in enumerate(entries):
        if isinstance(candidate, GradientBoosting) and candidate.library != "lightgbm":
            yield Problem(
                ("model", "candidates", index, "library"), "library",
                f"{candidate.library}'s trees can only learn on one machine, and training.engine is {forecast.training.engine}",
                "write library: lightgbm, or leave training out",
            )  # fmt: skip


def check_cluster(forecast: Forecast) -> Iterator[Problem]:
    """training.address and training.workers are given only with training.engine."""
    training = forecast.training
    for name in ("address", "workers"):
        if training.engine is None and getattr(training, name) is not None:
            yield Problem(
                ("training", name),
                "engine",
                f"{name} is for a cluster, and training.engine is missing",
                "add engine: ray",
            )
