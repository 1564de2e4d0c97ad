"""How a version takes over, and what it runs on."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast


def rollout(forecast: Forecast) -> Iterator[Problem]:
    """Steps rise to 100, and belong to a canary."""
    found = forecast.deployment.rollout
    path = ("deployment", "rollout", "steps")
    if found.strategy != "canary":
        if found.steps:
            yield Problem(
                path, "rollout", f"{found.strategy} has no steps", "write strategy: canary, or drop the steps"
            )
        return
    if not found.steps:
        yield Problem(path[:-1], "rollout", "a canary needs steps", "such as steps: [10, 50, 100]")
    elif list(found.steps) != sorted(set(found.steps)) or found.steps[-1] != 100:
        yield Problem(
            path,
            "rollout",
            f"{list(found.steps)}: steps rise, and end at 100",
            f"such as {sorted({*found.steps, 100})}",
        )


def replicas(forecast: Forecast) -> Iterator[Problem]:
    """There are not more replicas at least than at most."""
    machine = forecast.deployment.machine
    if machine.min_replicas > machine.max_replicas:
        message = f"min_replicas {machine.min_replicas} is above max_replicas {machine.max_replicas}"
        yield Problem(
            ("deployment", "machine", "min_replicas"),
            "replicas",
            message,
            f"set max_replicas to {machine.min_replicas} or more",
        )
