"""What the server did: by forecast, version and minute for the loop's alerts, and since its start for Prometheus."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from mlspec.state.predicted import Predictions
from mlspec.state.request_counts import LATENCIES, Served
from mlspec.targets.base import Target
from mlspec.web.prediction_cache import Answers, Shelf

LABELS = ("forecast", "version")
Place = tuple[str, str, str]  # forecast, version, minute


class Counts:
    """Counts of many threads. `clock` returns RFC 3339 in UTC."""

    def __init__(self, shelf: Shelf, clock: Callable[[], str]) -> None:
        self._clock, self._lock = clock, Lock()
        self._minutes: dict[Place, Served] = {}
        self.registry = CollectorRegistry()
        self._requests = Counter("mlspec_requests", "Requests answered.", LABELS, registry=self.registry)
        self._errors = Counter("mlspec_errors", "Requests that failed in the server.", LABELS, registry=self.registry)
        self._took = Histogram(
            "mlspec_latency_seconds",
            "From a whole request to its answer.",
            LABELS,
            registry=self.registry,
            buckets=LATENCIES,
        )
        self.registry.register(_OnTheShelf(shelf, clock))

    def add(self, forecast: str, version: str, seconds: float, *, failed: bool) -> None:
        """Count one request that a version answered, or should have."""
        self._requests.labels(forecast, version).inc()
        self._errors.labels(forecast, version).inc(int(failed))
        self._took.labels(forecast, version).observe(seconds)
        bucket = bisect_left(LATENCIES, seconds)
        took = tuple(int(place == bucket) for place in range(len(LATENCIES) + 1))
        with self._lock:
            self._sum(Served(forecast, version, _minute(self._clock()), 1, int(failed), took))

    def flush(self, target: Target, *, all_: bool = False) -> None:
        """Hand the minutes that are over to the target, or all. What it does not take is kept for the next time."""
        now = _minute(self._clock())
        with self._lock:
            over = [place for place in self._minutes if all_ or place[2] != now]
            minutes = [self._minutes.pop(place) for place in over]
        if not minutes:
            return
        try:
            target.count_served(minutes)
        except BaseException:
            with self._lock:
                for each in minutes:
                    self._sum(each)
            raise

    def page(self) -> bytes:
        """Return the metrics as Prometheus reads them."""
        return generate_latest(self.registry)

    def _sum(self, new: Served) -> None:
        place = (new.forecast, new.version, new.minute)
        old = self._minutes.get(place)
        if old:
            took = tuple(map(sum, zip(old.took, new.took, strict=True)))
            new = Served(*place, old.requests + new.requests, old.errors + new.errors, took)
        self._minutes[place] = new


class _OnTheShelf:
    """What is true at the moment: each version's share, and how old what is predicted from is."""

    def __init__(self, shelf: Shelf, clock: Callable[[], str]) -> None:
        self._shelf, self._clock = shelf, clock

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of every forecast that is served."""
        share = GaugeMetricFamily("mlspec_traffic_share", "Share of the series, 0 to 1.", labels=LABELS)
        age = GaugeMetricFamily(
            "mlspec_forecast_age_seconds",
            "Since the end of the newest period that a version predicts from.",
            labels=LABELS,
        )
        for name, answers in self._all():
            for version, percent in answers.traffic.items():
                share.add_metric((name, version), percent / 100)
                found = answers.made[version].found
                if isinstance(found, Predictions):
                    age.add_metric((name, version), _seconds(found.until, self._clock()))
        yield share
        yield age

    def _all(self) -> Iterable[tuple[str, Answers]]:
        for name in self._shelf.names:
            found = self._shelf.of(name)
            if isinstance(found, Answers):
                yield name, found


def _minute(at: str) -> str:
    return f"{at[:16]}:00Z"


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
