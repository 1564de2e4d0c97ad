"""What a spec asks for that `apply` alone does not do, said plainly: what the loop acts on, and what nothing acts on yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from mlspec.spec.forecast import Actuals, Budget, Machine, Reconcile, Rollback, Rollout, Schedule
from mlspec.state.resource import Json

_Say = Callable[[Json], str | None]
# Parts that act while the loop runs, and the part of the language whose default asks for nothing.
LOOP: dict[str, type[BaseModel] | None] = {
    "schedule": Schedule, "alerts": None, "notify": None, "rollback": Rollback, "reconcile": Reconcile, "budget": Budget,
}  # fmt: skip


def _deployment(value: Json) -> str | None:
    asked = []
    if value["serve"] != "batch":
        asked.append(f"serve: {value['serve']} is `mlspec serve` on a local target, an endpoint on Google Cloud")
    if value["machine"] != _default(Machine):
        asked.append("machine is an endpoint's, and a local target has none")
    if value["batch_machine"]:
        asked.append("batch_machine is a job's on Google Cloud; the local target forecasts on this one")
    return "; ".join(asked) or None


def _training(value: Json) -> str | None:
    return "machine is a job's on Google Cloud; the local target trains on this one" if value["machine"] else None


def _metadata(value: Json) -> str | None:
    return "labels are kept with the release; the local target has nothing to label" if value["labels"] else None


def _budget(value: Json) -> str | None:
    return "monthly guards what is billed; the local target costs nothing" if value["monthly"] else None


_SENTENCES: tuple[tuple[str, _Say], ...] = (
    ("metadata", _metadata),
    ("training", _training),
    ("deployment", _deployment),
    ("budget", _budget),
)


def notes(name: str, spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return a sentence on the parts of a resolved spec that need the loop, and one for each that has no effect in this version."""
    said = [(key, say(spec[key])) for key, say in _SENTENCES]
    asked = for_the_loop(spec)
    if asked:
        are = f"{', '.join(asked)} act{'' if len(asked) > 1 else 's'} while `mlspec reconcile` runs"
        said.append(("loop", f"{are}; apply alone looks at data, model and forecast"))
    return tuple(f"{name}: {key}: {sentence}" for key, sentence in said if sentence)


def for_the_loop(spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the parts of a spec that ask something of the loop."""
    asked = [key for key, part in LOOP.items() if spec[key] and (part is None or spec[key] != _default(part))]
    if spec["dataset"]["actuals"] != _default(Actuals):
        asked.append("dataset.actuals")
    if spec["deployment"]["rollout"] != _default(Rollout):
        asked.append("deployment.rollout")
    return tuple(asked)


def _default(part: type[BaseModel]) -> Json:
    return part().model_dump(mode="json", by_alias=True)
