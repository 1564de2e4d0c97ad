"""The workers that a spec asks for, for as long as a step needs them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from mlspec.errors import MissingExtra
from mlspec.forecast.workers import HERE, Workers
from mlspec.spec.fields import ray_extra
from mlspec.spec.forecast import Training


@contextmanager
def workers(training: Training) -> Iterator[Workers]:
    """Yield who computes: this process, or a cluster's workers. Raises MissingExtra, or TargetError where the cluster fails."""
    if training.engine is None:
        yield HERE
        return
    for needed in ("ray", "lightgbm"):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtra(needed, ray_extra(training.address))
    from mlspec.jobs import ray_cluster

    with ray_cluster.connected(training) as found:
        yield found
