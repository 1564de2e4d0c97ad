"""What a spec asks for and nothing acts on yet, said plainly: no key is silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import BaseModel

from mlspec.spec.forecast import Actuals, Budget, Machine, Reconcile, Rollback, Rollout
from mlspec.state.resource import Json

_Say = Callable[[Json], str | None]


def _counted(noun: str, ending: str) -> _Say:
    def say(value: Json) -> str | None:
        if not value:
            return None
        return f"{len(value)} {noun}{'s' if len(value) > 1 else ''} {ending}"

    return say


def _schedule(value: Json) -> str | None:
    named = [word for word in ("forecast", "retrain") if value.get(word)]
    if not named:
        return None
    are = "are" if len(named) > 1 else "is"
    return f"{' and '.join(named)} {are} kept with the release; the DAG that `mlspec render` writes runs at these times"


def _deployment(value: Json) -> str | None:
    asked = []
    if value["serve"] != "batch":
        asked.append(f"serve: {value['serve']} makes batch forecasts only")
    if value["rollout"] != _default(Rollout):
        asked.append(f"rollout: {value['rollout']['strategy']} takes over all at once")
    if value["machine"] != _default(Machine):
        asked.append("machine is for an endpoint, and this version has none")
    return "; ".join(asked) or None


def _dataset(value: Json) -> str | None:
    if value["actuals"] == _default(Actuals):
        return None
    return "actuals is for the step `evaluate` of a DAG's run; apply holds no forecast against its actuals"


def _metadata(value: Json) -> str | None:
    return "labels are kept with the release; the local target has nothing to label" if value["labels"] else None


def _other_than(part: type[BaseModel], sentence: str) -> _Say:
    return lambda value: sentence if value != _default(part) else None


def _default(part: type[BaseModel]) -> Json:
    return part().model_dump(mode="json", by_alias=True)


_SENTENCES: tuple[tuple[str, _Say], ...] = (
    ("metadata", _metadata),
    ("dataset", _dataset),
    ("schedule", _schedule),
    ("deployment", _deployment),
    (
        "alerts",
        _counted(
            "threshold", "kept with the release; apply looks at none of them, the step `evaluate` of a DAG's run does"
        ),
    ),
    ("notify", _counted("receiver", "kept with the release; nothing is sent in this version")),
    ("rollback", _other_than(Rollback, "is kept with the release; no alert starts a rollback in this version")),
    ("reconcile", _other_than(Reconcile, "is kept with the release; there is no loop yet")),
    ("budget", _other_than(Budget, "guards what a loop starts by itself; there is no loop yet")),
)


def notes(name: str, spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return a sentence for each part of a resolved spec that is accepted, kept, and without effect in this version."""
    said = ((key, say(spec[key])) for key, say in _SENTENCES)
    return tuple(f"{name}: {key}: {sentence}" for key, sentence in said if sentence)
