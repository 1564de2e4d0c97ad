"""Names and labels against the limits of everything that is named after a forecast."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.faults import Path, Problem
from mlspec.spec.forecast import Forecast
from mlspec.spec.names import name_problem

# Google Cloud allows 64 on a resource (resource-manager/docs/labels-overview); mlspec sets up to 8 of its own.
MAX_LABELS = 64 - 8


def name(forecast: Forecast) -> Iterator[Problem]:
    """The forecast's name makes a name that Google Cloud takes, for every resource that derives from it."""
    problem = name_problem(forecast.metadata.name)
    if problem:
        yield Problem(("metadata", "name"), "name", problem, "choose another name")


def labels(forecast: Forecast) -> Iterator[Problem]:
    """There are no more labels than a resource may have, and none of Google's own."""
    found = forecast.metadata.labels
    path: Path = ("metadata", "labels")
    if len(found) > MAX_LABELS:
        yield Problem(path, "labels", f"{len(found)} labels, and a spec may have {MAX_LABELS}", "drop some")
    for key in found:
        if key.startswith("goog"):
            message = f"'{key}': Google keeps labels that begin with goog for itself"
            yield Problem((*path, key), "labels", message, "choose another key", on_key=True)
