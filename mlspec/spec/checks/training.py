"""What a cluster can train."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast, GradientBoosting


def check_trees(forecast: Forecast) -> Iterator[Problem]:
    """Trees that a cluster learns are LightGBM's: scikit-learn's need all of the features in one memory."""
    entries = forecast.model.candidates
    if forecast.training.engine is None or isinstance(entries, str):
        return
    for index, candidate in enumerate(entries):
        if isinstance(candidate, GradientBoosting) and candidate.library != "lightgbm":
            yield Problem(
                ("model", "candidates", index, "library"), "library",
                f"{candidate.library}'s trees learn on one machine, and training.engine is {forecast.training.engine}",
                "write library: lightgbm, or leave training out",
            )  # fmt: skip


def check_cluster(forecast: Forecast) -> Iterator[Problem]:
    """An address and workers are a cluster's."""
    training = forecast.training
    for name in ("address", "workers"):
        if training.engine is None and getattr(training, name) is not None:
            yield Problem(
                ("training", name), "engine", f"{name} is a cluster's, and training names no engine", "add engine: ray"
            )
