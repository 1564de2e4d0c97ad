"""The extras of mlspec that a set of forecasts needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mlspec.spec.candidates import GradientBoosting
from mlspec.spec.fields import ray_extra
from mlspec.spec.forecast import Forecast
from mlspec.spec.hierarchy import BOTTOM_UP


def needed_extras(specs: Iterable[Forecast], target_extras: Collection[str]) -> tuple[str, ...]:
    """Return the extras of mlspec that specs and their target (`target_extras`) need, sorted."""
    extra_names = {"forecast", *target_extras}
    for spec in specs:
        extra_names |= set(_model_extras(spec)) | set(_receiver_extras(spec))
        calendar, covariates = spec.dataset.calendar, spec.dataset.covariates
        if covariates.holidays is not None or (calendar is not None and calendar.holidays is not None):
            extra_names.add("holidays")
        if spec.dataset.reconcile != BOTTOM_UP:
            extra_names.add("hierarchy")
        if spec.deployment.serve != "batch":
            extra_names.add("serve")
    return tuple(sorted(extra_names))


def _model_extras(spec: Forecast) -> Iterator[str]:
    listed = () if spec.model.candidates == "auto" else spec.model.candidates
    if any(isinstance(candidate, GradientBoosting) and candidate.library == "lightgbm" for candidate in listed):
        yield "lightgbm"
    if spec.training.engine:
        yield ray_extra(spec.training.address)


def _receiver_extras(spec: Forecast) -> Iterator[str]:
    for receiver in spec.notify:
        yield "gcp" if receiver.pubsub else "notify"
