"""The time line of a forecast: its recorded events, each with the kind by which a reader finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlspec.state.record import Event

SHOWN_NOTABLE, SHOWN_ROUTINE = 60, 10
# What an event's reason is about, for the mark beside it. Any other event is a trouble if it is a warning.
_KINDS = {
    "Deployed": "release",
    "RolledOut": "release",
    "RolloutStep": "release",
    "RolloutReplaced": "release",
    "RolledBack": "rollback",
    "RolloutAborted": "rollback",
    "Held": "person",
    "Resumed": "person",
    "Silenced": "person",
    "NoticesSettled": "person",
    "NoticeDiscarded": "person",
    "AlertRemoved": "person",
}
_ROUTINE = "routine"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One event: when (RFC 3339), its kind, reason and message."""

    at: str
    kind: str
    reason: str
    message: str


def timeline_entries(events: Sequence[Event]) -> tuple[list[TimelineEntry], int]:
    """Return the entries of a time line in the order of the events (the newest first), and how many events it leaves out.

    Forecasts that were made and data that was checked, day by day, do not push a rollback out of sight: of those it has a few.
    """
    notable = [at for at, event in enumerate(events) if _kind(event) != _ROUTINE][:SHOWN_NOTABLE]
    routine = [at for at, event in enumerate(events) if _kind(event) == _ROUTINE][:SHOWN_ROUTINE]
    shown = [events[at] for at in sorted([*notable, *routine])]
    entries = [TimelineEntry(event.at, _kind(event), event.reason, event.message) for event in shown]
    return entries, len(events) - len(shown)


def _kind(event: Event) -> str:
    return _KINDS.get(event.reason, "trouble" if event.type == "Warning" else _ROUTINE)
