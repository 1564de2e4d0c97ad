"""What a server counted, as the values that an alert is judged by."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan.moments import parse_moment
from mlspec.plan.serving_metrics import LEAST_REQUESTS, latency_percentile, measure_alert, window_start
from mlspec.plan.thresholds import judge_alert
from mlspec.spec.alerts import Alert
from mlspec.spec.metrics import METRICS
from mlspec.state.request_counts import KEPT_HOURS, LATENCIES, RequestCount
from tests.examples import alert_of

NOW = "2024-03-01T12:30:40Z"
ERRORS: dict[str, Any] = {"name": "errors", "metric": "error_rate", "above": 0.01}
ALERT = alert_of(**ERRORS)
TWICE = alert_of(**{**ERRORS, "for": "2 of 3"})
SLOW = alert_of(name="slow", metric="latency", above=0.2)


def minute(at: str, requests: int, errors: int = 0, version: str = "v1", place: int = 0) -> RequestCount:
    took = tuple(requests if each == place else 0 for each in range(len(LATENCIES) + 1))
    return RequestCount("demand", version, f"2024-03-01T{at}:00Z", requests, errors, took)


def values(alert: Alert, *counted: RequestCount) -> list[float | None]:
    found: list[float | None] = measure_alert(alert, counted, ["v1", "v2"], NOW)["segments"][""]
    return found


@pytest.mark.parametrize(
    ("alert", "counted", "expected"),
    [
        (ALERT, [minute("12:30", 100, 5)], [0.05]),
        (ALERT, [minute("11:31", 50, 5), minute("12:00", 50)], [0.05]),
        (ALERT, [minute("11:30", 100, 5)], [None]),  # an hour and a minute ago
        (ALERT, [minute("12:31", 100, 5)], [None]),  # not yet
        (ALERT, [minute("12:00", LEAST_REQUESTS - 1, 19)], [None]),
        (ALERT, [minute("12:00", LEAST_REQUESTS, 1)], [None]),  # one failure alone is no verdict
        (ALERT, [minute("12:00", LEAST_REQUESTS, 2)], [0.1]),
        (ALERT, [minute("12:00", LEAST_REQUESTS)], [0.0]),
        (ALERT, [minute("12:00", 200, 1)], [0.005]),
        (alert_of(**ERRORS, window=3), [minute("09:31", 100, 5)], [0.05]),
        (TWICE, [minute("12:00", 100, 5), minute("11:00", 100), minute("10:00", 5)], [0.05, 0.0, None]),
        (SLOW, [minute("12:00", 100, place=4)], [pytest.approx(0.0975)]),
        (SLOW, [minute("12:00", 100, place=11)], [10.0]),
    ],
)  # fmt: skip
def test_an_alert_looks_back_over_hours(alert: Alert, counted: list[RequestCount], expected: list[Any]) -> None:
    assert values(alert, *counted) == expected


def test_each_version_has_its_own_values() -> None:
    found = measure_alert(ALERT, [minute("12:00", 100), minute("12:00", 100, 100, "v2")], ["v1", "v2"], NOW)
    assert found["segments"] == {"": [0.5]}
    assert found["by_version"] == {"v1": {"": [0.0]}, "v2": {"": [1.0]}}
    assert judge_alert(ALERT, found["by_version"]["v2"]).state == "firing"
    assert judge_alert(ALERT, found["by_version"]["v1"]).state == "ok"


def test_all_minutes_of_an_alert_are_asked_for() -> None:
    assert window_start(ALERT, NOW) == "2024-03-01T11:30:00Z"
    assert window_start(alert_of(**{**ERRORS, "window": 2, "for": "2 of 3"}), NOW) == "2024-03-01T08:30:00Z"


@given(st.lists(st.integers(0, 50), min_size=len(LATENCIES) + 1, max_size=len(LATENCIES) + 1).filter(any))
def test_the_95th_percentile_lies_in_the_bucket_of_the_request_that_it_is(took: list[int]) -> None:
    requests = sum(took)
    found = latency_percentile([RequestCount("demand", "v1", NOW, requests, 0, tuple(took))], requests)
    below = sum(count for bound, count in zip(LATENCIES, took, strict=False) if bound < found)
    up_to = sum(count for bound, count in zip((0.0, *LATENCIES), took, strict=False) if bound < found)
    assert below <= 0.95 * requests
    assert up_to >= 0.95 * requests or found == LATENCIES[-1]


def test_no_alert_can_look_back_further_than_counts_are_kept() -> None:
    longest = alert_of(**{**ERRORS, "window": 1000, "for": "99 of 99"})  # what the language takes at most
    assert parse_moment(NOW) - parse_moment(window_start(longest, NOW)) < timedelta(hours=KEPT_HOURS)


def test_a_threshold_on_latency_lies_within_what_can_be_measured() -> None:
    assert METRICS["latency"].high == LATENCIES[-1]
