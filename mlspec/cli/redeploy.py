"""What the redeploy function asks for when an alert arrives: that what serves is judged now, and moved back where that follows."""

from __future__ import annotations

from mlspec.cli.log_setup import default_level, set_up
from mlspec.cli.target import timestamp
from mlspec.engine.alert_handler import handle_alert
from mlspec.engine.pass_result import PassResult
from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.cache import cache_folder


def redeploy(place: GcpLocation, forecast: str) -> PassResult:
    """Answer an alert about a forecast on Google Cloud, and return what came of it, errors included."""
    from mlspec.targets.gcp.target import GcpTarget

    set_up(default_level("text"), "json")  # warnings: what was decided, the function tells itself
    return handle_alert(GcpTarget(place, cache_folder() / place.project), forecast, timestamp)
