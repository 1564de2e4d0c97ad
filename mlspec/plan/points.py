"""From an evaluation to the points that a monitor outside watches: what policies rendered from the same spec compare.

See docs/decisions/0008-mlspec-measures-monitoring-watches.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlspec.plan.thresholds import breaks
from mlspec.state.point import Point
from mlspec.state.resource import Json


def points(alerts: Sequence[Mapping[str, Json]], found: Mapping[str, Mapping[str, Json]]) -> tuple[Point, ...]:
    """Return the points of one evaluation: `found` has each alert's values by segment, the newest first. No value, no point."""
    return tuple(point for alert in alerts for point in _of(alert, found[alert["name"]]["segments"]))


def _of(alert: Mapping[str, Json], segments: Mapping[str, Sequence[float | None]]) -> Iterator[Point]:
    for segment, values in segments.items():
        if not values or values[0] is None:
            continue
        yield Point("value", alert["name"], segment, float(values[0]))
        if alert["for"]:
            last = values[: int(alert["for"].split(" of ")[1])]
            yield Point("breaches", alert["name"], segment, float(sum(bool(breaks(alert, value)) for value in last)))
