"""Checks of labels against the limits of Google Cloud's resources."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.faults import Path, Problem
from mlspec.spec.forecast import Forecast

# Google Cloud allows 64 on a resource (resource-manager/docs/labels-overview); mlspec sets up to 8 of its own.
MAX_LABELS = 64 - 8
# Reserved prefixes of keys, and who reserves them.
_KEPT = (("goog", "Google"), ("mlspec-", "mlspec"), ("managed-by", "mlspec"))


def check_labels(forecast: Forecast) -> Iterator[Problem]:
    """There are at most as many labels as a resource may have, and none with a reserved prefix."""
    own_labels = forecast.metadata.labels
    path: Path = ("metadata", "labels")
    if len(own_labels) > MAX_LABELS:
        yield Problem(path, "labels", f"{len(own_labels)} labels, and a spec may have {MAX_LABELS}", "drop some")
    for key in own_labels:
        holder = next((holder for prefix, holder in _KEPT if key.startswith(prefix)), None)
        if holder:
            message = f"'{key}': {holder} reserves labels with this prefix"
            yield Problem((*path, key), "labels", message, "choose another key", on_key=True)
