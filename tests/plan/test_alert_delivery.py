"""Whether anybody has the notice of an alert, and how old the data is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mlspec.plan.alert_delivery import alert_delivery, mark_discarded
from mlspec.plan.alerting import advance_alerts, settle_alerts
from mlspec.plan.data_age import data_age
from mlspec.plan.thresholds import AlertVerdict
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.notice import Notice, PendingNotice
from tests.examples import alert_of

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


def test_a_notice_that_a_person_discarded_is_said_until_its_incident_is_over() -> None:
    told = AlertRecord("accuracy", "firing", BEGAN, incident="i", began=BEGAN, told=True)
    bias = replace(told, name="bias")
    accuracy, other = mark_discarded((told, bias), [waiting(next_at=None)])
    assert [alert_delivery(alert, [], has_receivers=True) for alert in (accuracy, other)] == ["discarded", "delivered"]
    assert mark_discarded((told,), [waiting(at="2026-01-01T00:00:00Z", next_at=None)]) == (told,)  # an earlier incident
    ledger = Ledger(alerts=(accuracy,))
    for day, (state, discarded) in enumerate(
        [("firing", True), ("no-data", True), ("ok", False), ("firing", False)], 3
    ):
        verdict = AlertVerdict("accuracy", state, 0.3, "it")  # type: ignore[arg-type]
        now = f"2026-01-{day:02}T00:00:00Z"
        ledger = settle_alerts(
            advance_alerts("demand", [alert_of(above=0.2, name="accuracy")], {"accuracy": verdict}, ledger, now),
            ledger,
            now,
        )
        assert ledger.alerts[0].discarded is discarded


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
