"""Loads accuracy metrics of installed packages: entry points of the group `mlspec.metrics`, each an `AccuracyMetric`.

Nothing is looked for before a spec names a metric that mlspec has not itself, and only the package of that metric is imported. So
a package that cannot be imported stops no other spec.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeGuard

from mlspec.errors import SpecError
from mlspec.models.code import ModelCode
from mlspec.models.entry_points import PackageEntry, find_entries, find_entry, import_object
from mlspec.models.metric import AccuracyMetric
from mlspec.models.package_failure import describe_failure

GROUP = "mlspec.metrics"
NAME_FORM = "up to 40 lower-case letters, digits and underscores, a letter first"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_LONGEST_TITLE, _LONGEST_MEANING = 24, 200
_CORRECT = "correct the package, or name another metric"


@dataclass(frozen=True)
class LoadedMetric:
    """A metric of a package, and the entry point that names it."""

    entry: PackageEntry
    metric: AccuracyMetric

    def __str__(self) -> str:
        """Return the name and the package, as messages begin."""
        return f"metric '{self.entry.name}' of {self.entry.package}"


def is_metric_name(name: str) -> bool:
    """Return whether a metric may have this name. It becomes part of column names."""
    return bool(_NAME.fullmatch(name))


def offered_names() -> tuple[str, ...]:
    """Return the names of the metrics that installed packages bring. Imports none of them."""
    return tuple(dict.fromkeys(entry.name for entry in find_entries(GROUP)))


def metric_digest(name: str) -> str:
    """Return the digest of a metric's code: of its package's name and version. Raises SpecError if no package has it."""
    entry = _find_metric_entry(name)
    return ModelCode(entry.import_name, package=entry.package).digest


def load_metric(name: str, built_in: Collection[str]) -> LoadedMetric:
    """Return a metric of a package. Imports the package.

    Raises SpecError if no package has it, if the package cannot be imported, or if what it brings is no metric. A package that
    also brings a metric of a name in `built_in` is refused: nobody could tell which one a spec means.
    """
    entry = _find_metric_entry(name)
    clashes = [other.name for other in find_entries(GROUP) if other.package == entry.package and other.name in built_in]
    if clashes:
        raise SpecError(
            f"metric '{name}': {entry.package} brings '{clashes[0]}' too, and mlspec has a metric of this name itself",
            hint="give the entry point of the package another name",
        )
    return _load_entry(entry)


def _find_metric_entry(name: str) -> PackageEntry:
    entry = find_entry(GROUP, name, "install the package, or name another metric")
    if not is_metric_name(name):
        raise SpecError(
            f"{entry.package} brings a metric '{name}', and a metric's name is {NAME_FORM}",
            hint="give the entry point of the package another name",
        )
    return entry


@lru_cache(maxsize=64)
def _load_entry(entry: PackageEntry) -> LoadedMetric:
    what = f"metric '{entry.name}' of {entry.package}"
    try:
        metric = import_object(entry)
    except (Exception, SystemExit) as error:
        raise SpecError(f"{what}: {describe_failure(error, entry.import_name)}", hint=_CORRECT) from error
    if not isinstance(metric, AccuracyMetric):
        found = type(metric).__name__
        raise SpecError(
            f"{what}: {entry.import_name} is of the type {found}, and has to be a mlspec.models.metric.AccuracyMetric",
            hint=_CORRECT,
        )
    problem = _find_problem(metric)
    if problem:
        raise SpecError(f"{what}: {entry.import_name}: {problem}", hint=_CORRECT)
    return LoadedMetric(entry, metric)


def _find_problem(metric: AccuracyMetric) -> str | None:
    """Return what is wrong with the parts of a metric; None if nothing is."""
    parts: Any = metric  # a package may have put anything into them
    for name, longest in (("title", _LONGEST_TITLE), ("meaning", _LONGEST_MEANING)):
        text = getattr(parts, name)
        if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= longest:
            return f"{name} has to be a text of one line, with 1 to {longest} characters"
    if not callable(parts.formula):
        return "formula has to be a function"
    if parts.unit not in ("share", "ratio"):
        return f"unit is {parts.unit!r}, and has to be 'share' or 'ratio'"
    if isinstance(parts.quantiles, bool) or not isinstance(parts.quantiles, int) or not 0 <= parts.quantiles <= 99:
        return "quantiles has to be a whole number from 0 to 99"
    return _find_bad_bound(parts.low, parts.high, parts.ideal)


def _find_bad_bound(low: object, high: object, ideal: object) -> str | None:
    """Return what is wrong with the values that a metric can take, and with the ideal one; None if nothing is."""
    if not (_is_number(low) and _is_number(high) and low < high):
        return f"low ({low}) and high ({high}) have to be numbers, and low the lesser one"
    if ideal is None:
        return None if math.isfinite(low) else "without an ideal less is better, so low has to be a finite number"
    inside = _is_number(ideal) and math.isfinite(ideal) and low <= ideal <= high
    return None if inside else f"ideal ({ideal}) has to be a number from low to high"


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)
