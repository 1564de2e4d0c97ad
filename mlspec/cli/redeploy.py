"""The entry points of the redeploy function: handles an alert, which may roll back the version that serves, and claims the start
of the loop for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlspec.cli.log_setup import default_level, set_up
from mlspec.cli.target import timestamp
from mlspec.clock import utc_now
from mlspec.engine import alert_starts
from mlspec.engine.alert_handler import handle_alert
from mlspec.engine.alert_starts import StartClaim
from mlspec.engine.pass_result import PassResult
from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.cache import cache_folder

if TYPE_CHECKING:
    from mlspec.targets.gcp.target import GcpTarget


def redeploy(place: GcpLocation, forecast: str) -> PassResult:
    """Handle an alert about a forecast on Google Cloud, and return the result, with any error."""
    set_up(default_level("text"), "json")  # from warnings on: the function itself prints the decision
    return handle_alert(_open_target(place), forecast, timestamp)


def claim_start(place: GcpLocation, forecast: str, message: str) -> StartClaim:
    """Claim the start of the loop for a message; `message` is a digest of what names its incident. Raises TargetError."""
    return alert_starts.claim_start(_open_target(place).start_marks, forecast, message, utc_now())


def _open_target(place: GcpLocation) -> GcpTarget:
    from mlspec.targets.gcp.target import GcpTarget

    # The function's account may deploy what is registered, and register nothing.
    return GcpTarget(place, cache_folder() / place.project, registers=False)
