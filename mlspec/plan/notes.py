"""Notes on the parts of a spec that `apply` alone does not act on: those that the loop acts on, and those without effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from mlspec.spec.forecast import Actuals, Budget, Machine, Reconcile, Rollback, Rollout, Schedule
from mlspec.state.resource import Json

_Say = Callable[[Json], str | None]
# Parts of a spec that the loop acts on, each with its model, whose default asks for nothing.
LOOP: dict[str, type[BaseModel] | None] = {
    "schedule": Schedule, "alerts": None, "notify": None, "rollback": Rollback, "reconcile": Reconcile, "budget": Budget,
}  # fmt: skip


def _deployment_note(value: Json) -> str | None:
    remarks = []
    if value["serve"] != "batch":
        remarks.append(f"serve: {value['serve']} is `mlspec serve` on a local target, an endpoint on Google Cloud")
    if value["machine"] != _default_json(Machine):
        remarks.append("machine is for an endpoint, and the local target has none")
    if value["batch_machine"]:
        remarks.append("batch_machine is for a job on Google Cloud; the local target forecasts on this machine")
    return "; ".join(remarks) or None


def _training_note(value: Json) -> str | None:
    return "machine is for a job on Google Cloud; the local target trains on this machine" if value["machine"] else None


def _metadata_note(value: Json) -> str | None:
    return "labels are kept with the release; the local target has no resources to label" if value["labels"] else None


def _budget_note(value: Json) -> str | None:
    return "monthly limits what is billed; the local target costs nothing" if value["monthly"] else None


_SENTENCES: tuple[tuple[str, _Say], ...] = (
    ("metadata", _metadata_note),
    ("training", _training_note),
    ("deployment", _deployment_note),
    ("budget", _budget_note),
)


def spec_notes(name: str, spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return a sentence on the parts of a resolved spec that need the loop, and one for each part without effect here."""
    sentences = [(key, say(spec[key])) for key, say in _SENTENCES]
    parts = loop_parts(spec)
    if parts:
        active_parts = f"{', '.join(parts)} act{'' if len(parts) > 1 else 's'} while `mlspec reconcile` runs"
        sentences.append(("loop", f"{active_parts}; apply alone looks at data, model and forecast"))
    return tuple(f"{name}: {key}: {sentence}" for key, sentence in sentences if sentence)


def loop_parts(spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the keys of the parts of a spec that need the loop."""
    keys = [key for key, part in LOOP.items() if spec[key] and (part is None or spec[key] != _default_json(part))]
    if spec["dataset"]["actuals"] != _default_json(Actuals):
        keys.append("dataset.actuals")
    if spec["deployment"]["rollout"] != _default_json(Rollout):
        keys.append("deployment.rollout")
    return tuple(keys)


def _default_json(part: type[BaseModel]) -> Json:
    return part().model_dump(mode="json", by_alias=True)
