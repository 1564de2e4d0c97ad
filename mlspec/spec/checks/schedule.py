"""Checks of cron expressions and time zones."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.calendar import cron_problem, timezone_problem
from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast


def check_crons(forecast: Forecast) -> Iterator[Problem]:
    """A cron expression has five fields, fires at some time, and fires at most every five minutes."""
    for key in ("forecast", "retrain"):
        expression = getattr(forecast.schedule, key)
        problem = cron_problem(expression) if expression is not None else None
        if problem:
            yield Problem(("schedule", key), "cron", *problem)


def check_deadline(forecast: Forecast) -> Iterator[Problem]:
    """The deadline of a run is above 0."""
    deadline = forecast.schedule.deadline
    if deadline is not None and not deadline:
        yield Problem(
            ("schedule", "deadline"), "deadline", "is no time at all", "give a time such as 4h, or leave the key out"
        )


def check_timezone(forecast: Forecast) -> Iterator[Problem]:
    """The time zone is in the IANA database."""
    problem = timezone_problem(forecast.schedule.timezone)
    if problem:
        yield Problem(("schedule", "timezone"), "timezone", *problem)
