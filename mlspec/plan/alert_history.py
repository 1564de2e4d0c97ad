"""The alerts as they were at a past moment, from the recorded events."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.plan.alert_ends import REMOVED_REASON
from mlspec.plan.moments import parse_moment
from mlspec.spec.alerts import Alert
from mlspec.state.record import Event
from mlspec.state.resource import Json

# The state that an event on an alert began. Data that are back begin no state of their own: a firing alert has its own event.
# An alert that was taken out of the spec, and came back, begins anew.
DATA_BACK_REASON = "AlertDataBack"
STATE_BEGUN = {
    "AlertFiring": "firing", "AlertResolved": "resolved", "AlertNoData": "no-data", DATA_BACK_REASON: "not firing",
    REMOVED_REASON: "not firing",
}  # fmt: skip


def alert_states_at(moment: str, alerts: Sequence[Alert], events: Sequence[Event]) -> list[dict[str, Json]]:
    """Return each alert's state at a moment (RFC 3339), with the sentence of the event that began it. `events`: newest first.

    An alert without an event before the moment was not firing then.
    """
    past = [event for event in events if event.reason in STATE_BEGUN and _is_until(event.at, moment)]
    return [_state_of(alert.name, past) for alert in alerts]


def _is_until(happened: str, moment: str) -> bool:
    return parse_moment(happened) <= parse_moment(moment)


def _state_of(name: str, past: Sequence[Event]) -> dict[str, Json]:
    event = next((event for event in past if event.message.startswith(f"{name}: ")), None)
    if event is None:
        return {"name": name, "state": "not firing", "message": ""}
    return {"name": name, "state": STATE_BEGUN[event.reason], "message": event.message}
