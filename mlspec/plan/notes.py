"""What a spec asks for and nothing acts on yet, said plainly: no key is silent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
    return (
        f"{' and '.join(named)} are kept with the release; run `mlspec apply` yourself until a scheduler does"
        if named
        else None
    )


def _deployment(value: Json) -> str | None:
    asked = []
    if value["serve"] != "batch":
        asked.append(f"serve: {value['serve']} makes batch forecasts only")
    if value["rollout"]["strategy"] != "all-at-once":
        asked.append(f"rollout: {value['rollout']['strategy']} takes over all at once")
    return "; ".join(asked) or None


def _rollback(value: Json) -> str | None:
    return "is kept with the release; no alert starts a rollback in this version" if value["on"] else None


def _reconcile(value: Json) -> str | None:
    return (
        None
        if value["mode"] == "enforce" and not value["resources"]
        else "is kept with the release; there is no loop yet"
    )


def _budget(value: Json) -> str | None:
    asked = [key for key, limit in value.items() if limit is not None]
    return "guards what a loop starts by itself; there is no loop yet" if asked else None


_SENTENCES: tuple[tuple[str, _Say], ...] = (
    ("schedule", _schedule),
    ("deployment", _deployment),
    ("alerts", _counted("threshold", "kept with the release; nothing watches them in this version")),
    ("notify", _counted("receiver", "kept with the release; nothing is sent in this version")),
    ("rollback", _rollback),
    ("reconcile", _reconcile),
    ("budget", _budget),
)


def notes(name: str, spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return a sentence for each part of a resolved spec that is accepted, kept, and without effect in this version."""
    said = ((key, say(spec[key])) for key, say in _SENTENCES)
    return tuple(f"{name}: {key}: {sentence}" for key, sentence in said if sentence)


def shared(all_notes: Sequence[str]) -> tuple[str, ...]:
    """Return notes once each, in order."""
    return tuple(dict.fromkeys(all_notes))
