"""Who is told of a notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlspec.state.notice import Notice
from mlspec.state.resource import Json

SEVERITIES = ("info", "warning", "critical")


def receivers(notify: Sequence[Mapping[str, Json]], notice: Notice) -> tuple[str, ...]:
    """Return the stable names of the receivers that want a notice of this severity."""
    level = SEVERITIES.index(notice.severity)
    return tuple(_name(each) for each in notify if SEVERITIES.index(each["severity"]) <= level)


def _name(receiver: Mapping[str, Json]) -> str:
    return f"pubsub:{receiver['pubsub']}" if receiver["pubsub"] else f"webhook:{receiver['webhook']['secret']}"
