"""Reads Vertex AI's request counts of an endpoint from Cloud Monitoring, by the hour.

Inside a session, one list call per metric returns all endpoints of a project. Monitoring sums each hour of a deployment to one
point (ALIGN_DELTA; the last hour ends at the end of the requested interval). Requests and errors are `response_count`, one series
per class of HTTP status. Latencies are `prediction_latencies` of the type `total`, in milliseconds
(https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform). Both are a few minutes late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mlspec.errors import TargetError
from mlspec.state.request_counts import RequestCount
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries
from mlspec.targets.gcp.vertex.histograms import LatencyHistogram, apportion_requests, to_histogram

_METRIC = "aiplatform.googleapis.com/prediction/online"
_RESPONSES = f'metric.type = "{_METRIC}/response_count"'
_LATENCIES = f'metric.type = "{_METRIC}/prediction_latencies" AND metric.labels.latency_type = "total"'
_FAILED = "5"  # first digit of server errors; client errors are not counted as errors
_HOUR = timedelta(hours=1)
_NEAR = timedelta(minutes=10)  # less than an hour, so that every alert window still contains the end of an hour
_PAGE = 100_000  # points per page, the API's maximum


@dataclass(frozen=True, slots=True)
class _Span:
    """An interval: `hours` up to `end`, of one endpoint, or of all endpoints if `endpoint` is empty."""

    end: datetime
    hours: int
    endpoint: str

    def covers_hours(self, end: datetime, hours: int) -> bool:
        """Return whether this interval can replace `hours` up to a slightly later `end`, as a long pass has it."""
        return timedelta(0) <= end - self.end < _NEAR and hours <= self.hours


@dataclass(frozen=True, slots=True)
class _Hour:
    """One hour of one deployment, identified by its end."""

    endpoint: str
    deployed: str
    end: datetime


@dataclass
class _HourlyCounts:
    """Responses by the first digit of their status, and their latencies."""

    responses: dict[_Hour, Counter[str]]
    times: dict[_Hour, LatencyHistogram]


class RequestMetricsReader:
    """Reads the request counts of one project's endpoints."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._answers: dict[_Span, _HourlyCounts | TargetError] | None = None

    def begin_session(self) -> None:
        """From now on read all endpoints in one call and cache the answers, also errors."""
        self._answers = {}

    def end_session(self) -> None:
        """From now on read one endpoint per call, without a cache."""
        self._answers = None

    def read_request_counts(
        self, forecast: str, endpoint: str, versions: Mapping[str, str], since: str
    ) -> tuple[RequestCount, ...]:
        """Return each deployment's request counts in the hours from `since` (RFC 3339) on, oldest first.

        `versions` has the version of each deployment id. An hour is returned only if both its responses and latencies are there.
        """
        counts = self._load_counts(endpoint, datetime.fromisoformat(since))
        hours = sorted(
            (hour for hour in counts.responses if hour.endpoint == endpoint and hour.deployed in versions),
            key=lambda hour: (hour.end, hour.deployed),
        )
        return tuple(
            _to_request_count(forecast, versions[hour.deployed], hour.end, counts.responses[hour], counts.times[hour])
            for hour in hours
            if hour in counts.times
        )

    def _load_counts(self, endpoint: str, since: datetime) -> _HourlyCounts:
        hours = max((datetime.now(UTC) - since) // _HOUR, 1)  # noqa: TID251  (only for the number of hours)
        end = since + hours * _HOUR
        if self._answers is None:
            return self._read_counts(_Span(end, hours, endpoint))
        counts = next((answer for span, answer in self._answers.items() if span.covers_hours(end, hours)), None)
        if counts is None:
            # Intervals grow by powers of two, so that a thousand forecasts with different windows need only a few calls.
            span = _Span(end, 1 << (hours - 1).bit_length(), "")
            counts = self._answers[span] = self._read_or_error(span)
        if isinstance(counts, TargetError):
            raise counts
        return counts

    def _read_or_error(self, span: _Span) -> _HourlyCounts | TargetError:
        try:
            return self._read_counts(span)
        except TargetError as error:
            return error

    def _read_counts(self, span: _Span) -> _HourlyCounts:
        counts = _HourlyCounts({}, {})
        for hour, labels, value in self._read_points(_RESPONSES, span):
            counts.responses.setdefault(hour, Counter())[labels["response_code"][:1]] += value.int64_value
        for hour, _, value in self._read_points(_LATENCIES, span):
            counts.times[hour] = counts.times.get(hour, LatencyHistogram()) + to_histogram(value.distribution_value)
        return counts

    def _read_points(self, metric: str, span: _Span) -> Iterator[tuple[_Hour, Mapping[str, str], Any]]:
        endpoint_filter = f' AND resource.labels.endpoint_id = "{span.endpoint}"' if span.endpoint else ""
        request = {
            "name": f"projects/{self._clients.project}",
            "filter": f'{metric} AND resource.type = "aiplatform.googleapis.com/Endpoint"{endpoint_filter}',
            "interval": {"start_time": span.end - span.hours * _HOUR, "end_time": span.end},
            "aggregation": {"alignment_period": _HOUR, "per_series_aligner": "ALIGN_DELTA"},
            "page_size": _PAGE,
        }
        series = call_with_retries(
            lambda: list(self._clients.monitoring.list_time_series(request=request, retry=None, timeout=TIMEOUT)),
            "read the request counts of the endpoints",
        )
        for time_series in series:
            where, labels = time_series.resource.labels["endpoint_id"], time_series.metric.labels
            for point in time_series.points:
                end = datetime.fromtimestamp(point.interval.end_time.timestamp(), UTC)
                yield _Hour(where, labels["deployed_model_id"], end), labels, point.value


def _to_request_count(
    forecast: str, version: str, end: datetime, responses: Counter[str], times: LatencyHistogram
) -> RequestCount:
    requests = responses.total()
    minute = f"{end:%Y-%m-%dT%H:%M:%SZ}"
    return RequestCount(forecast, version, minute, requests, responses[_FAILED], apportion_requests(times, requests))
