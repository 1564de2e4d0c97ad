"""From documents to one forecast for one target: defaults, spec and overlay merged, then validated, every fault at its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from mlspec.spec.checks import STAND_INS, check
from mlspec.spec.checks.project import targets
from mlspec.spec.digest import resolved_json, spec_digest
from mlspec.spec.document import Document
from mlspec.spec.faults import Fault, Path, Problem, did_you_mean, dotted
from mlspec.spec.forecast import MAX_TARGETS, Forecast
from mlspec.spec.project import Project
from mlspec.spec.words import problems

# An overlay says what differs in a target, not what the thing is.
_FIXED: tuple[Path, ...] = (("apiVersion",), ("kind",), ("targets",), ("metadata", "name"))


@dataclass(frozen=True)
class Layers:
    """Where a spec's words come from, the first that has a word wins: the target's overlay, the spec, the project's defaults."""

    spec: Document
    project: Document | None
    target: str

    def merged(self) -> dict[str, Any]:
        """Return the document that is validated. Mappings merge, lists and scalars replace."""
        value: dict[str, Any] = {}
        for document, prefix in reversed(self._sources()):
            layer = _at(document.value, prefix)
            if isinstance(layer, dict):
                value = _merge(value, layer)
        return value

    def place(self, path: Path) -> tuple[Document, Path] | None:
        """Return the document and the path in it that a path of the merged document comes from; None for a default."""
        for document, prefix in self._sources():
            if document.holds((*prefix, *path)):
                return document, (*prefix, *path)
        return None

    def fault(self, problem: Problem) -> Fault:
        """Return a problem of the merged document at its place in the file that it comes from."""
        path, found = problem.path, None
        while path and found is None:
            found = self.place(path)
            path = path if found else path[:-1]
        document, place = found or (self.spec, ())
        layer = place[: len(place) - len(path)]  # such as targets.prod, where an overlay says it
        return document.fault(replace(problem, path=(*layer, *problem.path)), place)

    def _sources(self) -> list[tuple[Document, Path]]:
        sources: list[tuple[Document, Path]] = []
        if isinstance(_at(self.spec.value, ("targets", self.target)), dict):
            sources.append((self.spec, ("targets", self.target)))
        sources.append((self.spec, ()))
        if self.project is not None and isinstance(self.project.value.get("defaults"), dict):
            sources.append((self.project, ("defaults",)))
        return sources


@dataclass(frozen=True)
class Resolved:
    """One forecast as one target has it: valid, merged, every value with its origin."""

    forecast: Forecast
    file: File
    layers: Layers

    @property
    def name(self) -> str:
        """The forecast's name."""
        return self.forecast.metadata.name

    @cached_property
    def json(self) -> dict[str, Any]:
        """The resolved spec as JSON; what steps are given and what a release keeps."""
        return resolved_json(self.forecast)

    @cached_property
    def spec_hash(self) -> str:
        """sha256 of the resolved spec: what it says, not how it is spelt."""
        return spec_digest(self.json)

    @cached_property
    def origins(self) -> dict[str, str]:
        """Where each value comes from, by dotted path: `specs/demand.yaml:12`, or `default`."""
        return {dotted(path): self._origin(path) for path in _leaf_paths(self.json, ())}

    def _origin(self, path: Path) -> str:
        found = self.layers.place(path)
        if found is None:
            return "default"
        document, place = found
        return f"{document.name}:{document.mark(place, on_key=True).line}"


def resolve(spec: Document, project: Document | None, target: str) -> Resolved | list[Fault]:
    """Return the spec resolved for `target`, or every fault of it."""
    layers = Layers(spec, project, target)
    merged = layers.merged()
    try:
        forecast = Forecast.model_validate(merged)
    except ValidationError as error:
        found = problems(error, Forecast, merged)
        found += _of_the_rest(merged, frozenset(str(problem.path[0]) for problem in found if problem.path))
        return [layers.fault(problem) for problem in found]
    found = check(forecast)
    if found:
        return [layers.fault(problem) for problem in found]
    return Resolved(forecast, spec.file, layers)


def _of_the_rest(merged: Mapping[str, Any], invalid: frozenset[str]) -> list[Problem]:
    """Return what the checks find in the parts that are valid, so that no round of mending brings up what could be said now."""
    missing = frozenset(STAND_INS) - frozenset(merged)
    rest = {key: value for key, value in merged.items() if key not in invalid}
    try:
        forecast = Forecast.model_validate({**STAND_INS, **rest})
    except ValidationError:
        return []
    return check(forecast, invalid | missing)


def overlay_faults(spec: Document, project: Document | None, known: Collection[str]) -> list[Fault]:
    """Return the faults of all overlays of a spec: unknown targets, fixed keys, and what does not validate once merged."""
    overlays = spec.value.get("targets")
    if not isinstance(overlays, dict):
        return []
    faults: list[Fault] = []
    for name, overlay in list(overlays.items())[:MAX_TARGETS]:
        path: Path = ("targets", name)
        if name not in known:
            hint = did_you_mean(name, sorted(known))
            faults.append(
                spec.fault(Problem(path, "unknown-target", f"mlspec.yaml names no target '{name}'", hint, on_key=True))
            )
        elif isinstance(overlay, dict):
            faults += _fixed(spec, path, "is the same in every target")
            outcome = resolve(spec, project, name)
            faults += outcome if isinstance(outcome, list) else []
    return faults


def _fixed(document: Document, prefix: Path, why: str) -> list[Fault]:
    """Return a fault for each key under `prefix` that only a spec itself may give."""
    found = [(*prefix, *key) for key in _FIXED if document.holds((*prefix, *key))]
    return [
        document.fault(Problem(path, "fixed-key", f"'{dotted(path[len(prefix) :])}' {why}", "remove it", on_key=True))
        for path in found
    ]


def project_of(document: Document) -> Project | list[Fault]:
    """Return the project that mlspec.yaml describes, or its faults."""
    try:
        project = Project.model_validate(document.value)
    except ValidationError as error:
        return [document.fault(problem) for problem in problems(error, Project, document.value)]
    faults = _fixed(document, ("defaults",), "is each spec's own")
    faults += [document.fault(problem) for problem in targets(project)]
    return faults or project


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _leaf_paths(value: Any, path: Path) -> list[Path]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in _leaf_paths(inner, (*path, key))]
    if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        return [leaf for index, inner in enumerate(value) for leaf in _leaf_paths(inner, (*path, index))]
    return [path]
