"""Writes mlspec's metrics to Cloud Monitoring. Alert policies that are rendered from the same spec evaluate them.

`infra/monitoring.tf` creates the metrics. A call accepts at most 200 series, each with one point, and a series one point in five
seconds (https://cloud.google.com/monitoring/quotas#custom_metrics_quotas). Another pass may have written a moment ago, in another
process. Then this one waits for so long, and writes its points for later: the newest value is never left out.
"""

from __future__ import annotations

import hashlib
import logging
import re
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mlspec.errors import TargetError
from mlspec.state.point import MetricPoint
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries

logger = logging.getLogger(__name__)
METRIC = "custom.googleapis.com/mlspec/{kind}"
_MOST = 200
_LONGEST_LABEL = 1024  # bytes of a label's value, by the same page
_DIGEST = 16  # hexadecimal digits
PERIOD = timedelta(seconds=5)  # between two points of a series
_ATTEMPTS = 3  # passes that write at once and wait for each other
# What the service says of points that come too soon: less than PERIOD after the last one, or at its moment.
_TOO_SOON = re.compile(r"more frequently than the maximum sampling period|older end time than the most recent point")


class _TooSoonError(Exception):
    """The service has a newer point, or one that is less than PERIOD old."""


def write_metrics(clients: Clients, forecast: str, points: Sequence[MetricPoint], at: str) -> None:
    """Write the points of one evaluation at `at` (RFC 3339). Raises TargetError if Cloud Monitoring refuses them."""
    for part in _in_batches(points):
        _write_batch(clients, forecast, part, datetime.fromisoformat(at))


def _write_batch(clients: Clients, forecast: str, points: Sequence[MetricPoint], moment: datetime) -> None:
    what = f"write the metrics of {forecast}"
    for attempt in range(_ATTEMPTS):
        series = [_time_series(clients, forecast, point, moment + attempt * PERIOD) for point in points]
        try:
            call_with_retries(lambda series=series: _create_series(clients, series), what)  # type: ignore[misc]
        except _TooSoonError:
            logger.info("%s: another pass wrote them a moment ago; again in %s", what, PERIOD)
            time.sleep(PERIOD.total_seconds())
        else:
            return
    raise TargetError(f"cannot {what}: other passes keep writing them", hint="the next pass writes them")


def _create_series(clients: Clients, series: Sequence[Mapping[str, Any]]) -> None:
    from google.api_core.exceptions import InvalidArgument

    try:
        clients.monitoring.create_time_series(
            name=f"projects/{clients.project}", time_series=series, retry=None, timeout=TIMEOUT
        )
    except InvalidArgument as error:
        if _TOO_SOON.search(str(error.message)):
            raise _TooSoonError from error
        raise


def _in_batches(points: Sequence[MetricPoint]) -> list[Sequence[MetricPoint]]:
    return [points[begin : begin + _MOST] for begin in range(0, len(points), _MOST)]


def _time_series(clients: Clients, forecast: str, point: MetricPoint, moment: datetime) -> dict[str, Any]:
    labels = {"forecast": forecast, "alert": point.alert, "segment": _label_value(point.segment)}
    resource = {
        "project_id": clients.project, "location": clients.region, "namespace": "mlspec", "job": forecast, "task_id": "evaluate",
    }  # fmt: skip
    return {
        "metric": {"type": METRIC.format(kind=point.kind), "labels": labels},
        "resource": {"type": "generic_task", "labels": resource},
        "points": [{"interval": {"end_time": moment}, "value": {"double_value": point.value}}],
    }


def _label_value(text: str) -> str:
    """Return a label's value. A longer text is cut and ends with its digest, so that two segments keep two series."""
    encoded = text.encode()
    if len(encoded) <= _LONGEST_LABEL:
        return text
    kept = encoded[: _LONGEST_LABEL - _DIGEST - 1].decode(errors="ignore")
    return f"{kept}~{hashlib.sha256(encoded).hexdigest()[:_DIGEST]}"
