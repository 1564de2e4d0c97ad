"""The points that outside monitoring gets."""

from __future__ import annotations

from mlspec.plan.points import notice_points
from mlspec.state.notice import PendingNotice
from mlspec.state.point import MetricPoint
from tests.notify.test_deliver import T, notice


def test_notices_that_nobody_got_are_counted_and_those_that_are_tried_again_are_not() -> None:
    given_up = [PendingNotice(notice(name), "webhook:x", 1, None, "it answered 404") for name in ("n1", "n2")]
    waits = PendingNotice(notice("n3"), "webhook:x", 1, T, "it answered 500")
    assert notice_points([*given_up, waits]) == (MetricPoint("notices_given_up", "", "", 2.0),)
    assert notice_points([waits]) == (MetricPoint("notices_given_up", "", "", 0.0),)
