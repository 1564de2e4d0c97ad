"""What one field alone cannot tell: references, directions, calendars, addresses. Pure; every check returns problems.

One module a topic, each a list of small functions from a forecast to problems; `check` runs them all.
"""

from __future__ import annotations

from mlspec.spec.checks import alerts, dataset, deployment, metadata, model, schedule, secrets
from mlspec.spec.faults import Problem
from mlspec.spec.forecast import Forecast

CHECKS = (
    *metadata.CHECKS,
    *dataset.CHECKS,
    *model.CHECKS,
    *schedule.CHECKS,
    *deployment.CHECKS,
    *alerts.CHECKS,
    *secrets.CHECKS,
)


def check(forecast: Forecast) -> list[Problem]:
    """Return every problem of a forecast whose fields are each valid."""
    return [problem for each in CHECKS for problem in each(forecast)]
