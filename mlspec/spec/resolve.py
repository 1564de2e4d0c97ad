"""Resolves documents to one forecast for one target: merges defaults, spec and overlay, and validates the result."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from mlspec.spec.checks import STAND_INS, run_checks
from mlspec.spec.checks.project import check_networks, check_package_targets, check_retention, check_targets
from mlspec.spec.digest import resolved_json, spec_digest
from mlspec.spec.document import Document
from mlspec.spec.error_messages import validation_problems
from mlspec.spec.faults import Fault, Path, Problem, did_you_mean, dotted_path
from mlspec.spec.forecast import MAX_TARGETS, Forecast
from mlspec.spec.project import Project

# Keys that an overlay cannot change.
_FIXED: tuple[Path, ...] = (("apiVersion",), ("kind",), ("targets",), ("metadata", "name"))


@dataclass(frozen=True)
class SpecLayers:
    """The sources of a spec's values. The first with a value wins: the target's overlay, the spec, the project's defaults."""

    spec: Document
    project: Document | None
    target: str

    def merge_layers(self) -> dict[str, Any]:
        """Return the document that is validated. Mappings merge, lists and scalars replace."""
        value: dict[str, Any] = {}
        for document, prefix in reversed(self._layer_sources()):
            layer = _value_at(document.value, prefix)
            if isinstance(layer, dict):
                value = _merge_mappings(value, layer)
        return value

    def find_place(self, path: Path) -> tuple[Document, Path] | None:
        """Return the document, and the path in it, where a value of the merged document comes from; None for a default."""
        for document, prefix in self._layer_sources():
            if document.has_path((*prefix, *path)):
                return document, (*prefix, *path)
        return None

    def make_fault(self, problem: Problem) -> Fault:
        """Return a problem of the merged document with its position in the file that the value comes from."""
        path, location = problem.path, None
        while path and location is None:
            location = self.find_place(path)
            path = path if location else path[:-1]
        document, place = location or (self.spec, ())
        layer = place[: len(place) - len(path)]  # such as targets.prod, if the value is from an overlay
        return document.make_fault(replace(problem, path=(*layer, *problem.path)), place)

    def _layer_sources(self) -> list[tuple[Document, Path]]:
        sources: list[tuple[Document, Path]] = []
        if isinstance(_value_at(self.spec.value, ("targets", self.target)), dict):
            sources.append((self.spec, ("targets", self.target)))
        sources.append((self.spec, ()))
        if self.project is not None and isinstance(self.project.value.get("defaults"), dict):
            sources.append((self.project, ("defaults",)))
        return sources


@dataclass(frozen=True)
class ResolvedSpec:
    """One forecast for one target: merged and valid, every value with its origin."""

    forecast: Forecast
    file: File
    layers: SpecLayers

    @property
    def name(self) -> str:
        """The forecast's name."""
        return self.forecast.metadata.name

    @cached_property
    def json(self) -> dict[str, Any]:
        """The resolved spec as JSON. Steps receive it, and releases store it."""
        return resolved_json(self.forecast)

    @cached_property
    def spec_hash(self) -> str:
        """sha256 of the resolved spec's values; the spelling does not matter."""
        return spec_digest(self.json)

    @cached_property
    def origins(self) -> dict[str, str]:
        """The origin of each value, by dotted path: `specs/demand.yaml:12`, or `default`."""
        return {dotted_path(path): self._origin_of(path) for path in _leaf_paths(self.json, ())}

    def _origin_of(self, path: Path) -> str:
        location = self.layers.find_place(path)
        if location is None:
            return "default"
        document, place = location
        return f"{document.name}:{document.find_mark(place, on_key=True).line}"


def resolve_spec(spec: Document, project: Document | None, target: str) -> ResolvedSpec | list[Fault]:
    """Return the spec resolved for `target`, or all its faults."""
    layers = SpecLayers(spec, project, target)
    merged = layers.merge_layers()
    try:
        forecast = Forecast.model_validate(merged)
    except ValidationError as error:
        all_problems = validation_problems(error, Forecast, merged)
        all_problems += _problems_of_valid_parts(
            merged, frozenset(str(problem.path[0]) for problem in all_problems if problem.path)
        )
        return [layers.make_fault(problem) for problem in all_problems]
    all_problems = run_checks(forecast)
    if all_problems:
        return [layers.make_fault(problem) for problem in all_problems]
    return ResolvedSpec(forecast, spec.file, layers)


def _problems_of_valid_parts(merged: Mapping[str, Any], invalid: frozenset[str]) -> list[Problem]:
    """Return the problems that the checks find in the valid parts, so that one run reports as many problems as possible."""
    missing = frozenset(STAND_INS) - frozenset(merged)
    valid_parts = {key: value for key, value in merged.items() if key not in invalid}
    try:
        forecast = Forecast.model_validate({**STAND_INS, **valid_parts})
    except ValidationError:
        return []
    return run_checks(forecast, invalid | missing)


def overlay_faults(spec: Document, project: Document | None, known: Collection[str]) -> list[Fault]:
    """Return the faults of all overlays of a spec: unknown targets, fixed keys, and errors in the merged spec."""
    overlays = spec.value.get("targets")
    if not isinstance(overlays, dict):
        return []
    faults: list[Fault] = []
    for name, overlay in list(overlays.items())[:MAX_TARGETS]:
        path: Path = ("targets", name)
        if name not in known:
            hint = did_you_mean(name, sorted(known))
            faults.append(
                spec.make_fault(
                    Problem(path, "unknown-target", f"mlspec.yaml names no target '{name}'", hint, on_key=True)
                )
            )
        elif isinstance(overlay, dict):
            faults += _fixed_key_faults(spec, path, "is the same in every target")
            outcome = resolve_spec(spec, project, name)
            faults += outcome if isinstance(outcome, list) else []
    return faults


def _fixed_key_faults(document: Document, prefix: Path, why: str) -> list[Fault]:
    """Return a fault for each key under `prefix` that only the spec itself may set."""
    fixed_paths = [(*prefix, *key) for key in _FIXED if document.has_path((*prefix, *key))]
    return [
        document.make_fault(
            Problem(path, "fixed-key", f"'{dotted_path(path[len(prefix) :])}' {why}", "remove it", on_key=True)
        )
        for path in fixed_paths
    ]


def project_of(document: Document) -> Project | list[Fault]:
    """Return the project in mlspec.yaml, or its faults."""
    try:
        project = Project.model_validate(document.value)
    except ValidationError as error:
        return [document.make_fault(problem) for problem in validation_problems(error, Project, document.value)]
    faults = _fixed_key_faults(document, ("defaults",), "is each spec's own")
    checks = (check_targets, check_package_targets, check_networks, check_retention)
    faults += [document.make_fault(problem) for check in checks for problem in check(project)]
    return faults or project


def _merge_mappings(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merge_mappings(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _value_at(value: Any, path: Path) -> Any:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _leaf_paths(value: Any, path: Path) -> list[Path]:
    if isinstance(value, dict) and value:
        return [leaf for key, inner in value.items() for leaf in _leaf_paths(inner, (*path, key))]
    if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        return [leaf for index, inner in enumerate(value) for leaf in _leaf_paths(inner, (*path, index))]
    return [path]
