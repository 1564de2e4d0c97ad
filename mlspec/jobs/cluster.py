"""Provides the workers of a spec for the duration of a step."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from mlspec.errors import MissingExtra
from mlspec.forecast.workers import Workers
from mlspec.jobs.process_workers import processors_of_this_machine
from mlspec.spec.fields import ray_extra
from mlspec.spec.forecast import Training


@contextmanager
def connect_workers(training: Training) -> Iterator[Workers]:
    """Yield the workers: this machine's, or those of a cluster. Raises MissingExtra, or TargetError if the cluster fails."""
    if training.engine is None:
        yield processors_of_this_machine()
        return
    for needed in ("ray", "lightgbm"):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtra(needed, ray_extra(training.address))
    from mlspec.jobs import ray_cluster

    with ray_cluster.connect_cluster(training) as cluster:
        yield cluster
