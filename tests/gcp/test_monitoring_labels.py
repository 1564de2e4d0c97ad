"""What mlspec writes to Cloud Monitoring keeps the limits of labels, whatever the data calls its segments."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from mlspec.state.point import MetricPoint
from mlspec.targets.gcp.monitoring import write_metrics
from tests.gcp.standin.rpcs import Rpc
from tests.gcp.standin.rules import enforcement


def test_segments_with_long_names_are_cut_and_stay_apart() -> None:
    from google.cloud.monitoring_v3.types import CreateTimeSeriesRequest

    written: list[Any] = []

    def create_time_series(*, name: str, time_series: list[Any], **_: Any) -> None:
        request = CreateTimeSeriesRequest.pb(CreateTimeSeriesRequest(name=name, time_series=time_series))
        rpc = Rpc("/google.monitoring.v3.MetricService/CreateTimeSeries", CreateTimeSeriesRequest.pb(), None)
        assert enforcement.check_call(rpc, request) == []
        written.extend(request.time_series)

    clients: Any = SimpleNamespace(
        project="acme", region="europe-west1", monitoring=SimpleNamespace(create_time_series=create_time_series)
    )
    segments = ["store=" + "ü" * 2000 + end for end in ("a", "b")]
    points = [MetricPoint("value", "accuracy", segment, 1.0) for segment in ("", "store=1", *segments)]
    write_metrics(clients, "demand", points, "2024-03-05T06:00:00+00:00")
    labels = [series.metric.labels["segment"] for series in written]
    assert labels[:2] == ["", "store=1"]
    assert len(set(labels)) == 4
    assert all(label.startswith("store=ü") and len(label.encode()) <= 1024 for label in labels[2:])
