"""Makes the metric points of an evaluation for outside monitoring. Alert policies rendered from the same spec compare them.

See docs/decisions/0008-mlspec-measures-monitoring-watches.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from mlspec.plan.thresholds import is_broken
from mlspec.spec.alerts import Alert
from mlspec.state.notice import PendingNotice
from mlspec.state.point import MetricPoint
from mlspec.state.resource import Json


def alert_points(alerts: Sequence[Alert], measured: Mapping[str, Mapping[str, Json]]) -> tuple[MetricPoint, ...]:
    """Return the points of one evaluation. `measured` holds each alert's values by segment, newest first. No value, no point."""
    return tuple(point for alert in alerts for point in _points_of_alert(alert, measured[alert.name]))


def notice_points(undelivered: Sequence[PendingNotice]) -> tuple[MetricPoint, ...]:
    """Return the point with the number of notices that were given up, of those that are not delivered."""
    count = sum(pending.is_given_up for pending in undelivered)
    return (MetricPoint("notices_given_up", "", "", float(count)),)


def _points_of_alert(alert: Alert, measured: Mapping[str, Json]) -> Iterator[MetricPoint]:
    limits = measured.get("limits", {})
    for segment, values in measured["segments"].items():
        if not values or values[0] is None:
            continue
        yield MetricPoint("value", alert.name, segment, float(values[0]))
        if alert.for_ or alert.tolerated_alarms is not None:
            last = values[: alert.agreement.evaluations]
            breaches = sum(bool(is_broken(alert, value, limits.get(segment))) for value in last)
            yield MetricPoint("breaches", alert.name, segment, float(breaches))
