"""Metrics of a prediction server, from its request counts: the share of failed requests, and the latency.

A server has no periods, so its alerts use hours. An alert looks back over one hour, or over `window` hours, from the present
minute. `for: m of n` looks at n such windows, each an hour earlier than the one before. The same counts at the same minute
always give the same values. FORMULAS names the formula of each metric of the kind `serving` in `spec.metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from itertools import pairwise

from mlspec.plan.moments import moment_before
from mlspec.spec.alerts import Alert
from mlspec.state.request_counts import LATENCIES, RequestCount
from mlspec.state.resource import Json

PERCENTILE = 0.95
# With fewer requests none is beyond the 95th percentile, so the percentile is unknown. A rate of few requests is as uncertain:
# "if a system receives 10 requests per hour, then a single failed request results in an hourly error rate of 10%" (Google, The
# Site Reliability Workbook, chapter 5, "Low-Traffic Services and Error Budget Alerting").
LEAST_REQUESTS = round(1 / (1 - PERCENTILE))
_HOUR = timedelta(hours=1)


def window_start(alert: Alert, now: str) -> str:
    """Return the first minute that an alert looks back to."""
    return _minute_before(now, _window_count(alert) - 1 + _window_hours(alert))


def measure_alert(
    alert: Alert, request_counts: Sequence[RequestCount], versions: Collection[str], now: str
) -> dict[str, Json]:
    """Return an alert's values over all requests and by version, the newest window first; None if there are too few requests.

    The shape is that of the step `evaluate`: a list of values for each segment.
    """
    windows = [_counts_in_window(request_counts, alert, back, now) for back in range(_window_count(alert))]
    return {
        "name": alert.name,
        "segments": {"": [_window_value(alert, window) for window in windows]},
        "by_version": {
            name: {"": [_window_value(alert, [row for row in window if row.version == name]) for window in windows]}
            for name in sorted(versions)
        },
    }


def _counts_in_window(request_counts: Sequence[RequestCount], alert: Alert, back: int, now: str) -> list[RequestCount]:
    start, end = _minute_before(now, back + _window_hours(alert)), _minute_before(now, back)
    return [row for row in request_counts if start < row.minute <= end]


def _minute_before(now: str, hours: int) -> str:
    """Return the minute that many hours before `now`."""
    return f"{moment_before(now, hours * _HOUR)[:16]}:00Z"


def _window_count(alert: Alert) -> int:
    return alert.agreement.evaluations


def _window_hours(alert: Alert) -> int:
    return alert.window or 1


def _window_value(alert: Alert, window: Sequence[RequestCount]) -> float | None:
    requests = sum(row.requests for row in window)
    if requests < LEAST_REQUESTS:
        return None
    return FORMULAS[alert.metric](alert, window, requests)


def _error_rate(alert: Alert, window: Sequence[RequestCount], requests: int) -> float | None:
    """Return the share of failed requests; None if a single failure alone would break the threshold."""
    errors = sum(row.errors for row in window)
    most = alert.bounds[1]
    if errors == 1 and most is not None and 1 / requests > most:
        return None
    return errors / requests


def latency_percentile(window: Sequence[RequestCount], requests: int) -> float:
    """Return the 95th percentile in seconds, as Prometheus' histogram_quantile computes it: by linear interpolation inside a bin.

    Beyond the last bound it returns that bound (prometheus.io/docs/prometheus/latest/querying/functions).
    """
    counts: list[int] = [sum(column) for column in zip(*(row.took for row in window), strict=True)]
    below = 0
    rank = PERCENTILE * requests
    for (low, high), count in zip(pairwise((0.0, *LATENCIES)), counts, strict=False):
        if count and below + count >= rank:
            return low + (high - low) * (rank - below) / count
        below += count
    return LATENCIES[-1]


# By the metric's name in `spec.metrics`: from an alert, what was counted in its window, and the number of requests in that.
FORMULAS: dict[str, Callable[[Json, Sequence[RequestCount], int], float | None]] = {
    "error_rate": _error_rate,
    "latency": lambda _alert, window, requests: latency_percentile(window, requests),
}
