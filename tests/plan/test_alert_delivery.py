"""Whether anybody has the notice of an alert, and how old the data is."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mlspec.plan.alert_delivery import alert_delivery
from mlspec.plan.data_age import data_age
from mlspec.state.ledger import AlertRecord
from mlspec.state.notice import Notice, PendingNotice

BEGAN = "2026-01-02T00:00:00Z"


def waiting(at: str = BEGAN, alert: str = "accuracy", next_at: str | None = "2026-01-03T00:00:00Z") -> PendingNotice:
    notice = Notice("id", "demand", alert, "alert", "firing", "warning", at, at, "it fires")
    return PendingNotice(notice, "webhook:hook", 1, next_at, "400")


@pytest.mark.parametrize(
    ("told", "pending", "has_receivers", "delivery"),
    [
        (False, [], True, "not sent"),
        (True, [], True, "delivered"),
        (True, [], False, "nobody to tell"),
        (True, [waiting()], True, "not delivered yet"),
        (True, [waiting(), waiting(next_at=None)], True, "given up"),
        (True, [waiting(at="2026-01-01T00:00:00Z", next_at=None)], True, "delivered"),  # of an earlier incident
        (True, [waiting(alert="bias", next_at=None)], True, "delivered"),  # of another alert
    ],
)
def test_an_alert_says_whether_anybody_has_its_notice(
    told: bool, pending: list[PendingNotice], has_receivers: bool, delivery: str
) -> None:
    alert = AlertRecord("accuracy", "firing", BEGAN, began=BEGAN, told=told)
    assert alert_delivery(alert, pending, has_receivers=has_receivers) == delivery


@pytest.mark.parametrize(
    ("cutoff", "zone", "hours"),
    [
        ("2026-01-01", None, 24.0),
        ("2026-01-01", "America/Sao_Paulo", 21.0),
        ("2026-01-01T20:00:00-03:00", "UTC", 1.0),
        ("2026-02-01", None, 0.0),
        ("week 3", None, None),
    ],
)
def test_the_age_of_data_is_that_of_its_newest_period_by_its_own_clocks(
    cutoff: str, zone: str | None, hours: float | None
) -> None:
    found = data_age(cutoff, zone, datetime(2026, 1, 2, tzinfo=UTC))
    assert found == (None if hours is None else hours * 3600)
