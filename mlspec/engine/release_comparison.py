"""Compares two releases: their specs field by field, their versions, and the last forecasts that they made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.engine.forecast_comparison import ForecastComparison, compare_runs
from mlspec.engine.rows import run_of_release
from mlspec.errors import MlspecError, NotFound, UsageError
from mlspec.plan.desired import METRIC_CODE, MODEL_CODE
from mlspec.plan.diff import diff_fields
from mlspec.plan.fields import flatten_keys
from mlspec.state.plan import FieldChange
from mlspec.state.record import Release, Version
from mlspec.targets.base import Target


@dataclass(frozen=True, slots=True)
class ReleaseComparison:
    """Two releases of a forecast beside each other; `versions` are theirs, None where a record is missing.

    `forecasts` compares the last forecasts that they made; None where that cannot be said, for the reason in `problem`.
    """

    releases: tuple[Release, Release]
    versions: tuple[Version | None, Version | None]
    fields: tuple[FieldChange, ...]
    forecasts: ForecastComparison | None = None
    problem: str = ""


def compare_releases(target: Target, name: str, first: str, second: str) -> ReleaseComparison:
    """Return what differs between two releases, which are named as 1 or r1. Raises UsageError if there is no such release."""
    old, new = (find_release(target, name, text) for text in (first, second))
    versions = {version.version: version for version in target.load_versions(name)}
    pair = (versions.get(old.version), versions.get(new.version))
    changed = diff_releases(target, name, old, new)
    try:
        forecasts = compare_release_forecasts(target, name, old, new)
    except MlspecError as error:  # one of them made none, or none of the same periods: the rest can be said
        return ReleaseComparison((old, new), pair, changed, problem=error.message)
    return ReleaseComparison((old, new), pair, changed, forecasts)


def diff_releases(target: Target, name: str, old: Release, new: Release) -> tuple[FieldChange, ...]:
    """Return the keys of the specs, the versions and the code of models that differ."""
    lineages = {version.version: version.lineage for version in target.load_versions(name)}
    return diff_fields(_release_fields(old, lineages), _release_fields(new, lineages))


def compare_release_forecasts(target: Target, name: str, old: Release, new: Release) -> ForecastComparison:
    """Return what changed between the last forecasts of two releases. Raises UsageError if one of them made none."""
    before, after = (run_of_release(target, name, release.release) for release in (old, new))
    return compare_runs(target, name, before, after, {})


def _release_fields(release: Release, lineages: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the keys of a release's spec, its version, and the digests of that version's custom models and packages' metrics."""
    lineage = lineages.get(release.version, {})
    codes = {
        f"{fact}.{name}": digest
        for fact, key in ((MODEL_CODE, "model_code"), (METRIC_CODE, "metric_code"))
        for name, digest in (lineage.get(key) or {}).items()
    }
    return {**flatten_keys(release.spec), "version": release.version, **codes}


def find_release(target: Target, name: str, text: str) -> Release:
    """Return the release that a text names: 1 or r1. Raises UsageError if there is none."""
    match = re.fullmatch(r"r?([1-9][0-9]{0,8})", text)
    releases = {release.release: release for release in target.load_releases(name)}
    known = ", ".join(f"r{number}" for number in sorted(releases)) or "none yet"
    if match is None:
        raise UsageError(f"'{text}' is no release: {name} has no release of such a name", hint=f"releases: {known}")
    if int(match[1]) not in releases:
        raise NotFound(f"{name} has no release '{text}'", hint=f"releases: {known}")
    return releases[int(match[1])]
