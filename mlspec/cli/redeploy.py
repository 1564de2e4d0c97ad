"""The entry point of the redeploy function: handles an alert, which may roll back the version that serves."""

from __future__ import annotations

from mlspec.cli.log_setup import default_level, set_up
from mlspec.cli.target import timestamp
from mlspec.engine.alert_handler import handle_alert
from mlspec.engine.pass_result import PassResult
from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.cache import cache_folder


def redeploy(place: GcpLocation, forecast: str) -> PassResult:
    """Handle an alert about a forecast on Google Cloud, and return the result, with any error."""
    from mlspec.targets.gcp.target import GcpTarget

    set_up(default_level("text"), "json")  # from warnings on: the function itself prints the decision
    return handle_alert(GcpTarget(place, cache_folder() / place.project), forecast, timestamp)
