"""A version that fails every request is said once a minute, with what was not said, and another reason at once."""

from __future__ import annotations

from mlspec.web.failure_log import FailureLog


def test_a_failure_is_said_once_a_minute_with_the_number_of_the_others() -> None:
    now, said = [0.0], list[str]()
    log = FailureLog(lambda: now[0], said.append)
    for second in range(121):
        now[0] = float(second)
        log.report_failure("demand", "v1", "ModelError: damaged")
    assert said == [
        "demand: v1 failed a request: ModelError: damaged",
        "demand: v1 failed a request: ModelError: damaged; 59 more since this was said last",
        "demand: v1 failed a request: ModelError: damaged; 59 more since this was said last",
    ]


def test_another_reason_version_or_forecast_is_said_at_once() -> None:
    said = list[str]()
    log = FailureLog(lambda: 0.0, said.append)
    for forecast, version, reason in (
        ("a", "v1", "x"),
        ("a", "v1", "y"),
        ("a", "v2", "x"),
        ("b", "v1", "y"),
        ("b", "v1", "y"),
    ):
        log.report_failure(forecast, version, reason)
    assert len(said) == 4
