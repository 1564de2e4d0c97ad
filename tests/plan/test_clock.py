"""A clock that was once ahead: no moment that it left in the record stops work, and the order of what happened is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.clock import TOLERANCE, correct_clock
from mlspec.plan.moments import format_moment, moment_after, parse_moment
from mlspec.plan.rollback import cooldown_end
from mlspec.plan.schedule import due_run
from mlspec.plan.training import why_over_budget
from mlspec.spec.forecast import Budget, Rollback
from mlspec.state.ledger import AlertRecord, Failure, Hold, Ledger, Quarantine, RolledBack, RolloutProgress, Silence
from mlspec.state.observed import Observed, ObservedResource
from mlspec.state.record import Condition
from mlspec.state.resource import Resource

NOW = "2024-03-01T00:00:00Z"
YEAR_AHEAD = "2025-03-01T00:00:00Z"
SOON = "2024-03-02T06:00:00Z"


def observed(**parts: object) -> Observed:
    """A forecast whose ledger holds these parts."""
    return Observed("demand", ledger=Ledger(**parts))  # type: ignore[arg-type]


def corrected(before: Observed) -> Observed:
    """The state after its correction, which there must be."""
    correction = correct_clock(before, NOW)
    assert correction is not None
    assert correct_clock(correction.observed, NOW) is None, "a corrected state is corrected again"
    return correction.observed


@given(st.timedeltas(min_value=timedelta(days=-4000), max_value=TOLERANCE))
def test_a_moment_that_is_past_or_near_is_believed(span: timedelta) -> None:
    at = format_moment(parse_moment(NOW) + span)
    before = observed(slots={"forecast": at}, trainings=(at,), rollbacks=(RolledBack(at, "v2", "v1", "i"),))
    assert correct_clock(before, NOW) is None


def test_the_next_run_after_now_is_due_again() -> None:
    before = observed(slots={"forecast": YEAR_AHEAD, "retrain": SOON})
    handled = corrected(before).ledger.slots
    assert handled == {"forecast": NOW, "retrain": SOON}  # each schedule by itself
    tomorrow = parse_moment("2024-03-02T07:00:00Z")
    assert due_run("0 6 * * *", "UTC", parse_moment(before.ledger.slots["forecast"]), tomorrow) is None
    due = due_run("0 6 * * *", "UTC", parse_moment(handled["forecast"]), tomorrow)
    assert due is not None
    assert (format_moment(due.slot), due.missed) == (SOON, 1)  # of today and tomorrow


def test_a_forecast_whose_first_release_was_ahead_gets_its_first_run() -> None:
    condition = Condition("demand", "Deployed", "True", "Serving", "", YEAR_AHEAD)
    (after,) = corrected(Observed("demand", conditions=(condition,))).conditions
    assert after.since == NOW


def test_a_cooldown_and_a_budget_end_as_if_they_began_now() -> None:
    after = corrected(
        observed(rollbacks=(RolledBack(YEAR_AHEAD, "v2", "v1", "i"),), trainings=(YEAR_AHEAD,) * 2)
    ).ledger
    assert cooldown_end(after, Rollback(cooldown="24h")) == "2024-03-02T00:00:00Z"  # type: ignore[arg-type]
    assert why_over_budget(Budget(trainings_per_week=2), after, NOW)
    assert why_over_budget(Budget(trainings_per_week=2), after, "2024-03-08T00:00:01Z") is None


def test_a_rollout_waits_its_interval_from_now() -> None:
    rollout = RolloutProgress("v2", 2, "v1", 1, 0, "2024-02-28T00:00:00Z", YEAR_AHEAD)
    after = corrected(observed(rollout=rollout)).ledger.rollout
    assert after == replace(rollout, since=NOW)


def test_a_silence_lasts_as_long_as_was_asked() -> None:
    of_a_wrong_clock = Silence("accuracy", "2025-03-04T00:00:00Z", "ann", "noise", YEAR_AHEAD)
    long_one = Silence("bias", "2026-03-01T00:00:00Z", "ann", "noise", "2024-02-01T00:00:00Z")
    after = corrected(observed(silences=(of_a_wrong_clock, long_one))).ledger.silences
    assert after == (replace(of_a_wrong_clock, at=NOW, until="2024-03-04T00:00:00Z"), long_one)


@pytest.mark.parametrize("next_at", [None, "2025-03-01T00:10:00Z"])
def test_work_that_failed_by_a_wrong_clock_is_tried_again(next_at: str | None) -> None:
    assert (
        corrected(observed(failure=Failure("k", 1, YEAR_AHEAD, next_at, "the data is 400 days old"))).ledger.failure
        is None
    )


def test_it_is_said_what_was_wrong() -> None:
    correction = correct_clock(
        observed(slots={"forecast": YEAR_AHEAD}, hold=Hold(1, "v1", "ann", "r", YEAR_AHEAD, "h")), NOW
    )
    assert correction is not None
    assert correction.sentence == (
        "a clock was ahead: it recorded hold, slots.forecast for moments up to 2025-03-01T00:00:00Z, later than now "
        "(2024-03-01T00:00:00Z); these moments count as now"
    )


MOMENTS = st.integers(-400, 400).map(lambda days: moment_after(NOW, timedelta(days=days)))


@given(st.data())
def test_what_happened_first_still_happened_first_and_nothing_lies_ahead(data: st.DataObject) -> None:
    """A rollback asks whether an incident began before a version took over: a correction must not turn the two around."""
    began, promoted, quarantined = (data.draw(MOMENTS) for _ in range(3))
    deployment = ObservedResource(Resource("deployment", "demand"), {"since": promoted})
    ledger = Ledger(
        alerts=(AlertRecord("psi", "firing", began, incident="i", began=began),),
        quarantined=(Quarantine("v1", "r", quarantined),),
    )
    before = Observed("demand", {"deployment": deployment}, ledger=ledger)
    correction = correct_clock(before, NOW)
    after = correction.observed if correction else before
    moments_before = [began, promoted, quarantined]
    moments_after = [
        after.ledger.alerts[0].began, after.find_fact("deployment", "since"), after.ledger.quarantined[0].at,
    ]  # fmt: skip
    for first, first_after in zip(moments_before, moments_after, strict=True):
        for second, second_after in zip(moments_before, moments_after, strict=True):
            # Of moments that were believed, one may have been within the seconds before now, to which others are moved.
            if first > second and second != NOW:
                assert first_after > second_after
    assert all(parse_moment(at) <= parse_moment(NOW) + TOLERANCE for at in moments_after)
