"""Request counts: by forecast, version and minute for the loop's alerts, and since the server's start for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from mlspec.state.predicted import Predictions
from mlspec.state.request_counts import LATENCIES, RequestCount
from mlspec.targets.base import ServedRecord
from mlspec.web.prediction_cache import CachedForecast, PredictionCache

LABELS = ("forecast", "version")
CountKey = tuple[str, str, str]  # forecast, version, minute


class RequestCounter:
    """Counts requests; safe for many threads. `clock` returns RFC 3339 in UTC."""

    def __init__(self, cache: PredictionCache, clock: Callable[[], str]) -> None:
        self._clock, self._lock = clock, Lock()
        self._minutes: dict[CountKey, RequestCount] = {}
        self.registry = CollectorRegistry()
        self._requests = Counter("mlspec_requests", "Requests answered.", LABELS, registry=self.registry)
        self._errors = Counter("mlspec_errors", "Requests that failed in the server.", LABELS, registry=self.registry)
        self._latency = Histogram(
            "mlspec_latency_seconds",
            "Seconds from the end of a request to its answer.",
            LABELS,
            registry=self.registry,
            buckets=LATENCIES,
        )
        self.registry.register(_CacheCollector(cache, clock))

    def read_clock(self) -> str:
        """Return the present moment, RFC 3339 in UTC."""
        return self._clock()

    def record_request(self, forecast: str, version: str, seconds: float, *, failed: bool) -> None:
        """Count one request of a version, answered or failed. `seconds` is its latency."""
        self._requests.labels(forecast, version).inc()
        self._errors.labels(forecast, version).inc(int(failed))
        self._latency.labels(forecast, version).observe(seconds)
        bucket = bisect_left(LATENCIES, seconds)
        bins = tuple(int(position == bucket) for position in range(len(LATENCIES) + 1))
        with self._lock:
            self._add_minute(RequestCount(forecast, version, _minute_start(self._clock()), 1, int(failed), bins))

    def flush_minutes(self, target: ServedRecord, *, all_: bool = False) -> None:
        """Record the finished minutes in the target, with `all_` also the current one. Keep them if that fails."""
        now = _minute_start(self._clock())
        with self._lock:
            finished = [key for key in self._minutes if all_ or key[2] != now]
            minutes = [self._minutes.pop(key) for key in finished]
        if not minutes:
            return
        try:
            target.add_request_counts(minutes)
        except BaseException:
            with self._lock:
                for minute in minutes:
                    self._add_minute(minute)
            raise

    def render_metrics(self) -> bytes:
        """Return the metrics in Prometheus's text format."""
        return generate_latest(self.registry)

    def _add_minute(self, new: RequestCount) -> None:
        key = (new.forecast, new.version, new.minute)
        old = self._minutes.get(key)
        if old:
            took = tuple(map(sum, zip(old.took, new.took, strict=True)))
            new = RequestCount(*key, old.requests + new.requests, old.errors + new.errors, took)
        self._minutes[key] = new


class _CacheCollector:
    """Collects the current gauges: each version's traffic share, the age of its data, and the notices that nobody got."""

    def __init__(self, cache: PredictionCache, clock: Callable[[], str]) -> None:
        self._cache, self._clock = cache, clock

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of every served forecast."""
        share = GaugeMetricFamily("mlspec_traffic_share", "Share of the series, 0 to 1.", labels=LABELS)
        age = GaugeMetricFamily(
            "mlspec_forecast_age_seconds",
            "Seconds since the end of the newest period that a version predicts from.",
            labels=LABELS,
        )
        for name, answers in self._cached_forecasts():
            for version, percent in answers.traffic.items():
                share.add_metric((name, version), percent / 100)
                predictions = answers.versions[version].predictions
                if isinstance(predictions, Predictions):
                    age.add_metric((name, version), _seconds_between(predictions.until, self._clock()))
        given_up = GaugeMetricFamily(
            "mlspec_notices_given_up", "Notices that were not delivered and are not retried.", labels=LABELS[:1]
        )
        for name, count in self._cache.given_up_notices.items():
            given_up.add_metric((name,), count)
        yield share
        yield age
        yield given_up

    def _cached_forecasts(self) -> Iterable[tuple[str, CachedForecast]]:
        for name in self._cache.names:
            cached = self._cache.find_forecast(name)
            if isinstance(cached, CachedForecast):
                yield name, cached


def _minute_start(at: str) -> str:
    return f"{at[:16]}:00Z"


def _seconds_between(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
