"""Cloud Monitoring's metrics: what may be written to a time series, and when.

See https://cloud.google.com/monitoring/custom-metrics/creating-metrics and the comments of metric.proto (TimeInterval).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.api import metric_pb2
from google.protobuf.empty_pb2 import Empty

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.filters import matcher
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rpcs import Rpc
from tests.gcp.standin.services import aligned

MOST_SERIES = 200
PERIOD = timedelta(seconds=5)  # between two points of a series
OLDEST, NEWEST = timedelta(hours=25), timedelta(minutes=5)
_PREFIXES = ("custom.googleapis.com/", "external.googleapis.com/", "workload.googleapis.com/")
# What each resource that an application may write to must say, beyond the project.
_RESOURCES = {
    "global": set(),
    "generic_node": {"location", "namespace", "node_id"},
    "generic_task": {"location", "namespace", "job", "task_id"},
}  # fmt: skip
_VALUES = {"bool_value": 1, "int64_value": 2, "double_value": 3, "string_value": 4, "distribution_value": 5}
_Kind = metric_pb2.MetricDescriptor.MetricKind


class Metrics:
    """The descriptors and series of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._descriptors: dict[str, Any] = {}
        self._series: dict[tuple[str, bytes, bytes], Any] = {}

    def create_metric_descriptor(self, rpc: Rpc, request: Any) -> Any:
        """Keep a descriptor; a second time it replaces the first, unless kind or type of the values changes."""
        given = standard.copy(request.metric_descriptor)
        if not given.type.startswith(_PREFIXES):
            raise invalid(f"Field metricDescriptor.type had an invalid value of {given.type!r}.")
        if given.metric_kind == _Kind.DELTA:
            raise invalid("A custom metric is GAUGE or CUMULATIVE.")
        given.name = f"{request.name}/metricDescriptors/{given.type}"
        old = self._descriptors.get(given.name)
        if old is not None and (old.metric_kind, old.value_type) != (given.metric_kind, given.value_type):
            raise invalid(f"The metric {given.type} exists with another kind or type of values.")
        self._descriptors[given.name] = given
        return given

    def get_metric_descriptor(self, rpc: Rpc, request: Any) -> Any:
        """Return a descriptor."""
        if request.name not in self._descriptors:
            raise Refused("NOT_FOUND", f"Could not find descriptor for metric {request.name!r}.")
        return self._descriptors[request.name]

    def list_metric_descriptors(self, rpc: Rpc, request: Any) -> Any:
        """Return a project's descriptors; the filter's `metric.type` is the descriptor's own type."""
        below = f"{request.name}/metricDescriptors/"
        found = (self._descriptors[name] for name in sorted(self._descriptors) if name.startswith(below))
        test = matcher(request.filter)
        asked = standard.copy(request)
        asked.filter = ""
        return standard.page(rpc, asked, [each for each in found if test({"metric": {"type": each.type}})])

    def delete_metric_descriptor(self, rpc: Rpc, request: Any) -> Any:
        """Remove a descriptor."""
        self.get_metric_descriptor(rpc, request)
        del self._descriptors[request.name]
        return Empty()

    def create_time_series(self, rpc: Rpc, request: Any) -> Any:
        """Write one point to each series. Those that are right are kept, even where others are refused."""
        keys = [_key(request.name, each) for each in request.time_series]
        if len(keys) > MOST_SERIES:
            raise invalid(f"At most {MOST_SERIES} TimeSeries can be written in one request.")
        if len(set(keys)) < len(keys):
            raise invalid("Duplicate TimeSeries encountered. Only one point can be written per TimeSeries per request.")
        wrong = []
        for index, (key, series) in enumerate(zip(keys, request.time_series, strict=True)):
            try:
                self._write(key, series)
            except Refused as refused:
                wrong.append(f"{refused.message}: timeSeries[{index}]")
        if wrong:
            raise invalid(f"One or more TimeSeries could not be written: {'; '.join(wrong)}")
        return Empty()

    def _write(self, key: tuple[str, bytes, bytes], given: Any) -> None:
        _check_shape(given)
        kind = self._described(key[0], given)
        _check_interval(given.points[0].interval, kind, self._cloud.now())
        old = self._series.get(key)
        if old is None:
            self._series[key] = standard.copy(given)
            self._series[key].metric_kind = kind
            return
        _check_order(old.points[0].interval, given.points[0].interval, kind)
        old.points.insert(0, given.points[0])

    def _described(self, project: str, given: Any) -> Any:
        """Return the metric's kind; the first point of an unknown metric describes it."""
        name = f"{project}/metricDescriptors/{given.metric.type}"
        value_type = _VALUES[given.points[0].value.WhichOneof("value")]
        kind = given.metric_kind or _Kind.GAUGE
        found = self._descriptors.get(name)
        if found is None:
            found = metric_pb2.MetricDescriptor(
                name=name, type=given.metric.type, metric_kind=kind, value_type=value_type
            )
            for label in given.metric.labels:
                found.labels.add(key=label)
            self._descriptors[name] = found
        if found.value_type != value_type or (given.metric_kind and found.metric_kind != kind):
            raise invalid("Value type or metric kind differs from the metric's descriptor")
        unknown = sorted(set(given.metric.labels) - {label.key for label in found.labels})
        if unknown:
            raise invalid(f"Unrecognized metric labels: {unknown}")
        return found.metric_kind

    def count(self, project: str, series: Any) -> None:
        """Add a point of a metric of Google's own: a DELTA, as services write their counts."""
        self._series.setdefault(_key(project, series), series.__class__(
            metric=series.metric, resource=series.resource, metric_kind=_Kind.DELTA
        )).points.extend(series.points)  # fmt: skip

    def list_time_series(self, rpc: Rpc, request: Any) -> Any:
        """Return the series that the filter means, each with its points after the start and up to the end, newest first."""
        period = aligned.period(request.aggregation) if request.HasField("aggregation") else None
        if "metric.type" not in request.filter:
            raise invalid("The filter must name a metric.type.")
        test, end = matcher(request.filter), request.interval.end_time.ToDatetime(UTC)
        start = request.interval.start_time.ToDatetime(UTC) if request.interval.HasField("start_time") else end
        found = [_between(each, start, end) for (name, *_), each in self._series.items() if name == request.name]
        if period is not None:
            found = [aligned.added_up(each, start, end, period) for each in found]
        asked = standard.copy(request)
        asked.filter = ""
        return standard.page(rpc, asked, [each for each in found if each.points and test(each)])


def _key(project: str, series: Any) -> tuple[str, bytes, bytes]:
    metric, resource = (each.SerializeToString(deterministic=True) for each in (series.metric, series.resource))
    return project, metric, resource


def _check_shape(given: Any) -> None:
    if not given.metric.type.startswith(_PREFIXES):
        raise invalid(f"The metric type {given.metric.type!r} cannot be written")
    needed = _RESOURCES.get(given.resource.type)
    if needed is None or not needed <= set(given.resource.labels):
        raise invalid(f"The resource {given.resource.type!r} is unknown or lacks labels: {sorted(needed or ())}")
    if len(given.points) != 1:
        raise invalid(f"Field points had an invalid value: exactly one point is written, and not {len(given.points)}")
    if given.points[0].value.WhichOneof("value") is None:
        raise invalid("A point must have a value")


def _check_interval(interval: Any, kind: Any, now: datetime) -> None:
    if not interval.HasField("end_time"):
        raise invalid("A point must have an end time")
    end = interval.end_time.ToDatetime(UTC)
    if not now - OLDEST <= end <= now + NEWEST:
        raise invalid("A point's end time must be at most 25 hours in the past and 5 minutes in the future")
    start = interval.start_time.ToDatetime(UTC) if interval.HasField("start_time") else None
    if kind == _Kind.GAUGE and start not in {None, end}:
        raise invalid("A GAUGE's start time must equal its end time")
    if kind == _Kind.CUMULATIVE and (start is None or start >= end):
        raise invalid("A CUMULATIVE's start time must be before its end time")


def _check_order(old: Any, new: Any, kind: Any) -> None:
    last, end = old.end_time.ToDatetime(UTC), new.end_time.ToDatetime(UTC)
    if end <= last:
        raise invalid(
            "Points must be written in order. One or more of the points specified had an older end time than the most recent point"
        )
    if end - last < PERIOD:
        raise invalid(
            "One or more points were written more frequently than the maximum sampling period configured for the metric"
        )
    if kind == _Kind.CUMULATIVE and old.start_time.ToDatetime(UTC) < new.start_time.ToDatetime(UTC) < last:
        raise invalid("A CUMULATIVE's start time must be the same as before, or after the last end time")


def _between(series: Any, start: datetime, end: datetime) -> Any:
    found = standard.copy(series)
    del found.points[:]
    ends = ((each, each.interval.end_time.ToDatetime(UTC)) for each in series.points)
    found.points.extend(each for each, at in ends if start < at <= end or start == at == end)
    return found
