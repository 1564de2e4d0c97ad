"""What Vertex AI counted of an endpoint's requests, read from Cloud Monitoring by the hour.

One list call a metric brings all endpoints of a project, inside a session; an hour of a deployment is one point, for Monitoring
adds up what lies between (ALIGN_DELTA; the hours end where the question ends). Requests and failures are `response_count`, a series
a class of HTTP codes; the times are `prediction_latencies` of the type `total`, in milliseconds
(https://cloud.google.com/monitoring/api/metrics_gcp_a_b#gcp-aiplatform). Both come a few minutes late.
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
_FAILED = "5"  # how the class of codes begins that are the server's fault: what a client gets wrong is not counted
_HOUR = timedelta(hours=1)
_NEAR = timedelta(minutes=10)  # less than the hour, so that each window of an alert still holds one end of an hour
_PAGE = 100_000  # points a page, the most there is


@dataclass(frozen=True, slots=True)
class _Span:
    """So many hours up to a moment, of one endpoint or, where it is empty, of all."""

    end: datetime
    hours: int
    endpoint: str

    def covers_hours(self, end: datetime, hours: int) -> bool:
        """Return whether its hours are as good as those up to a later moment: a pass over many takes its minutes."""
        return timedelta(0) <= end - self.end < _NEAR and hours <= self.hours


@dataclass(frozen=True, slots=True)
class _Hour:
    """One deployment's hour, by the moment at which it ends."""

    endpoint: str
    deployed: str
    end: datetime


@dataclass
class _HourlyCounts:
    """Responses by the first digit of their code, and their times."""

    responses: dict[_Hour, Counter[str]]
    times: dict[_Hour, LatencyHistogram]


class RequestMetricsReader:
    """The counts of one project's endpoints."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._answers: dict[_Span, _HourlyCounts | TargetError] | None = None

    def begin_session(self) -> None:
        """Ask for all endpoints at once from now on, and remember the answers, a no among them."""
        self._answers = {}

    def end_session(self) -> None:
        """Ask for one endpoint from now on."""
        self._answers = None

    def read_request_counts(
        self, forecast: str, endpoint: str, versions: Mapping[str, str], since: str
    ) -> tuple[RequestCount, ...]:
        """Return what each deployment answered in the hours from `since` (RFC 3339) on, oldest first.

        `versions` has the version of each deployment's id. An hour counts once both its responses and their times are there.
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
        hours = max((datetime.now(UTC) - since) // _HOUR, 1)  # noqa: TID251  (only which hour it is: the question says the minute)
        end = since + hours * _HOUR
        if self._answers is None:
            return self._read_counts(_Span(end, hours, endpoint))
        counts = next((answer for span, answer in self._answers.items() if span.covers_hours(end, hours)), None)
        if counts is None:
            # Twice as far as before each time: a thousand forecasts with windows of their own are a few questions.
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
            "read what the endpoints counted",
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
