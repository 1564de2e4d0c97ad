"""Which moment is older than what is recorded, and what was made for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.alert_history import alert_states_at
from mlspec.plan.moments import format_moment, moment_after
from mlspec.plan.run_moments import forecast_of, is_older_moment, is_since, release_at
from mlspec.state.ledger import Ledger
from mlspec.state.record import Event, ForecastRun, Release
from tests.examples import alert_of, forecast_spec

NOW = "2024-03-10T12:00:00Z"


def run_at(created: str) -> ForecastRun:
    return ForecastRun("demand", "v1", "d", "2024-03-01", created, {})


@pytest.mark.parametrize(
    ("moment", "slots", "made", "older"),
    [
        ("2024-03-09T06:00:00Z", {"forecast": "2024-03-10T06:00:00Z"}, [], True),
        ("2024-03-10T06:00:00Z", {"forecast": "2024-03-10T06:00:00Z"}, [], False),  # the newest may be repeated
        ("2024-03-10T06:00:00+02:00", {"forecast": "2024-03-10T06:00:00Z"}, [], True),
        ("2024-03-10T07:00:00Z", {"forecast": "2024-03-10T06:00:00Z"}, [], False),
        ("2024-03-09T06:00:00Z", {"retrain": "2024-03-10T04:00:00Z", "forecast": "2024-03-08T06:00:00Z"}, [], True),
        ("2024-03-10T06:00:00Z", {}, [], False),
        ("2024-03-09T06:00:00Z", {}, ["2024-03-10T11:00:00Z"], True),
        ("2024-03-10T06:00:00Z", {}, ["2024-03-10T11:00:00Z"], False),  # it may be this run's own forecast
        # A clock was ahead when these were written: no moment is older than the future.
        ("2024-03-10T06:00:00Z", {"forecast": "2025-03-10T06:00:00Z"}, [], False),
        ("2024-03-10T06:00:00Z", {}, ["2025-03-10T11:00:00Z"], False),
    ],
)
def test_a_moment_is_older_than_what_was_handled_for_a_later_one(
    moment: str, slots: dict[str, str], made: list[str], older: bool
) -> None:
    assert is_older_moment(moment, Ledger(slots=slots), run_at(made[0]) if made else None, NOW) is older


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2025, 1, 1), timezones=st.just(UTC)).map(format_moment)  # noqa: DTZ001


@given(MOMENTS, MOMENTS, st.lists(MOMENTS, max_size=3), MOMENTS)
def test_what_comes_before_an_older_moment_is_older_too(first: str, second: str, handled: list[str], now: str) -> None:
    earlier, later = sorted((first, second))
    ledger = Ledger(slots={f"{index}": at for index, at in enumerate(handled)})
    newest = run_at(handled[0]) if handled else None
    assert is_older_moment(earlier, ledger, newest, now) or not is_older_moment(later, ledger, newest, now)


@given(MOMENTS, st.lists(MOMENTS, max_size=3))
def test_the_present_is_never_older(now: str, handled: list[str]) -> None:
    ledger = Ledger(slots={f"{index}": at for index, at in enumerate(handled)})
    assert not is_older_moment(now, ledger, run_at(handled[0]) if handled else None, now)


def test_the_forecast_of_a_moment_is_the_first_one_made_before_the_next_moment() -> None:
    spec = forecast_spec(schedule={"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"})
    runs = [run_at(f"2024-03-0{day}T06:0{minute}:00Z") for day, minute in ((4, 1), (2, 9), (2, 1))]
    found = {day: forecast_of(f"2024-03-0{day}T06:00:00Z", spec, runs) for day in (1, 2, 3, 4)}
    assert {day: made and made.created for day, made in found.items()} == {
        1: None, 2: "2024-03-02T06:01:00Z", 3: None, 4: "2024-03-04T06:01:00Z",
    }  # fmt: skip


def test_the_release_of_a_moment_is_the_newest_that_was_there() -> None:
    releases = [
        Release("demand", number, f"v{number}", f"2024-03-0{number}T00:00:00Z", "h", {}) for number in (3, 2, 1)
    ]
    served = {at: release_at(f"2024-0{at}T00:00:00Z", releases) for at in ("2-01", "3-01", "3-02", "3-09")}
    assert {at: release and release.release for at, release in served.items()} == {
        "2-01": 1, "3-01": 1, "3-02": 2, "3-09": 3,
    }  # fmt: skip


def test_since_a_moment_is_at_it_or_after_it_and_always_where_there_is_none() -> None:
    assert [is_since(NOW, at) for at in (None, NOW, moment_after(NOW, timedelta(seconds=1)))] == [True, True, False]


def test_an_alert_s_state_at_a_moment_is_what_the_last_event_before_it_began() -> None:
    begun = {"2024-03-01": "AlertFiring", "2024-03-03": "AlertResolved"}
    events = [
        Event("demand", f"{day}T00:00:00Z", "Warning", reason, "it: wape is 0.3")
        for day, reason in reversed(begun.items())
    ]
    states = [
        alert_states_at(f"2024-{day}T12:00:00Z", [alert_of(above=0.2)], events)[0]["state"]
        for day in ("02-29", "03-01", "03-02", "03-03")
    ]
    assert states == ["not firing", "firing", "firing", "resolved"]
