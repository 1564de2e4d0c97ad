"""The points that outside monitoring gets."""

from __future__ import annotations

from mlspec.plan.points import alert_points, notice_points
from mlspec.state.notice import PendingNotice
from mlspec.state.point import MetricPoint
from tests.examples import alert_of as alert
from tests.notify.test_deliver import T, notice


def test_notices_that_nobody_got_are_counted_and_those_that_are_tried_again_are_not() -> None:
    given_up = [PendingNotice(notice(name), "webhook:x", 1, None, "it answered 404") for name in ("n1", "n2")]
    waits = PendingNotice(notice("n3"), "webhook:x", 1, T, "it answered 500")
    assert notice_points([*given_up, waits]) == (MetricPoint("notices_given_up", "", "", 2.0),)
    assert notice_points([waits]) == (MetricPoint("notices_given_up", "", "", 0.0),)


def test_outside_monitoring_counts_a_drift_only_where_it_is_beyond_what_is_usual() -> None:
    drift = alert(metric="psi", above=0.25)
    for limit, breaches in ((0.4, 1.0), (0.6, 0.0)):
        points = alert_points([drift], {"it": {"segments": {"": [0.5]}, "limits": {"": limit}}})
        assert points == (MetricPoint("value", "it", "", 0.5), MetricPoint("breaches", "it", "", breaches))
