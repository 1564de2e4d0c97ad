"""The extras of mlspec that a set of forecasts needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from mlspec.spec.fields import ray_extra
from mlspec.state.resource import Json

Spec = Mapping[str, Json]


def needed_extras(specs: Iterable[Spec], target_extras: Collection[str]) -> tuple[str, ...]:
    """Return the extras of mlspec that specs and their target (`target_extras`) need, sorted."""
    extra_names = {"forecast", *target_extras}
    for spec in specs:
        extra_names |= set(_model_extras(spec)) | set(_receiver_extras(spec))
        if spec["deployment"]["serve"] != "batch":
            extra_names.add("serve")
    return tuple(sorted(extra_names))


def _model_extras(spec: Spec) -> Iterator[str]:
    candidates = spec["model"]["candidates"]
    configured = (
        [candidate for candidate in candidates if isinstance(candidate, Mapping)]
        if isinstance(candidates, Sequence)
        else []
    )
    if any(candidate.get("library") == "lightgbm" for candidate in configured):
        yield "lightgbm"
    if spec["training"]["engine"]:
        yield ray_extra(spec["training"].get("address"))


def _receiver_extras(spec: Spec) -> Iterator[str]:
    for receiver in spec["notify"]:
        yield "gcp" if receiver["pubsub"] else "notify"
