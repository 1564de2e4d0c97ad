"""What the redeploy function asks for when an alert arrives: that what serves is judged now, and moved where that follows."""

from __future__ import annotations

from mlspec import __version__
from mlspec.cli.target import cache_folder, timestamp
from mlspec.engine.answering import answer
from mlspec.engine.one_pass import Pass
from mlspec.spec.place import Place

# Seconds to wait for a forecast's lock: longer than the lease of a run that was killed lasts.
_PATIENCE = 90.0


def redeploy(place: Place, forecast: str) -> Pass:
    """Answer an alert about a forecast on Google Cloud, and return what came of it, errors included."""
    from mlspec.targets.gcp.target import GcpTarget

    return answer(GcpTarget(place, cache_folder() / place.project), forecast, timestamp, __version__, _PATIENCE)
