"""Cloud Monitoring and Cloud Logging by their own clients, unchanged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument, NotFound
from google.cloud import logging as cloud_logging
from google.cloud import monitoring_v3 as monitoring
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client

from tests.gcp.standin.harness import Running

PROJECT = "projects/acme-test"
T = datetime(2024, 3, 5, 6, 0, tzinfo=UTC)
WAPE = "custom.googleapis.com/mlspec/wape"


@pytest.fixture
def metrics(standin: Running) -> monitoring.MetricServiceClient:
    standin.set(clock=T.isoformat())
    return monitoring.MetricServiceClient()


def series(value: float = 0.1, at: datetime = T, *, forecast: str = "demand", **more: Any) -> dict[str, Any]:
    point = {"interval": {"end_time": at, **more.pop("interval", {})}, "value": {"double_value": value}}
    return {
        "metric": {"type": WAPE, "labels": {"forecast": forecast}}, "resource": {"type": "global"},
        "points": [point], **more,
    }  # fmt: skip


def read(metrics: monitoring.MetricServiceClient, more: str = "", *, hours: float = 24) -> dict[str, list[float]]:
    interval = {"start_time": T - timedelta(hours=hours), "end_time": T + timedelta(hours=1)}
    found = metrics.list_time_series(
        request={"name": PROJECT, "filter": f'metric.type = "{WAPE}"{more}', "interval": interval, "view": "FULL"}
    )
    return {each.metric.labels["forecast"]: [point.value.double_value for point in each.points] for each in found}


def test_points_are_read_newest_first_by_metric_label_and_time(metrics: monitoring.MetricServiceClient) -> None:
    early = T - timedelta(hours=2)
    metrics.create_time_series(name=PROJECT, time_series=[series(0.1, early), series(0.5, early, forecast="other")])
    metrics.create_time_series(name=PROJECT, time_series=[series(0.2)])
    assert read(metrics) == {"demand": [0.2, 0.1], "other": [0.5]}
    assert read(metrics, ' AND metric.labels.forecast = "other"') == {"other": [0.5]}
    assert read(metrics, ' AND metric.labels.forecast = starts_with("dem")') == {"demand": [0.2, 0.1]}
    assert read(metrics, hours=1) == {"demand": [0.2]}
    assert read(metrics, hours=2) == {"demand": [0.2]}  # the start is not within the interval


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([series(), series()], "Duplicate"),
        ([series(forecast=str(each)) for each in range(201)], "200"),
        ([{**series(), "points": series()["points"] * 2}], "one point"),
        ([series(at=T - timedelta(hours=26))], "25 hours"),
        ([series(at=T + timedelta(minutes=6))], "5 minutes"),
        ([series(interval={"start_time": T - timedelta(hours=1)})], "GAUGE"),
        ([series(metric_kind="CUMULATIVE")], "CUMULATIVE"),
        ([{**series(), "resource": {"type": "generic_task", "labels": {"job": "x"}}}], "lacks labels"),
        ([{**series(), "metric": {"type": "compute.googleapis.com/x"}}], "cannot be written"),
    ],
)
def test_what_google_refuses_is_refused(
    metrics: monitoring.MetricServiceClient, wrong: list[dict[str, Any]], said: str
) -> None:
    with pytest.raises(InvalidArgument, match=said):
        metrics.create_time_series(name=PROJECT, time_series=wrong)
    assert read(metrics) == {}


def test_points_come_in_order_and_not_too_often(metrics: monitoring.MetricServiceClient) -> None:
    metrics.create_time_series(name=PROJECT, time_series=[series(0.1)])
    for at, said in ((T, "in order"), (T - timedelta(hours=1), "in order"), (T + timedelta(seconds=4), "frequently")):
        with pytest.raises(InvalidArgument, match=said):
            metrics.create_time_series(name=PROJECT, time_series=[series(0.2, at), series(0.9, at, forecast=said)])
    assert read(metrics) == {"demand": [0.1], "in order": [0.9], "frequently": [0.9]}


def test_a_cumulative_value_goes_on_from_its_start_or_starts_again_later(
    metrics: monitoring.MetricServiceClient,
) -> None:
    def write(start: int, end: int) -> None:
        interval = {"start_time": T + timedelta(seconds=start)}
        point = series(at=T + timedelta(seconds=end), metric_kind="CUMULATIVE", interval=interval)
        metrics.create_time_series(name=PROJECT, time_series=[point])

    write(0, 60)
    write(0, 120)
    with pytest.raises(InvalidArgument, match="CUMULATIVE"):
        write(60, 180)
    write(121, 180)
    assert len(read(metrics)["demand"]) == 3


def test_a_descriptor_says_which_labels_and_values_there_are(metrics: monitoring.MetricServiceClient) -> None:
    descriptor = {
        "type": WAPE, "metric_kind": "GAUGE", "value_type": "DOUBLE", "labels": [{"key": "forecast"}],
        "description": "weighted absolute percentage error", "unit": "1",
    }  # fmt: skip
    metrics.create_metric_descriptor(name=PROJECT, metric_descriptor=descriptor)
    metrics.create_time_series(name=PROJECT, time_series=[series()])
    wrong = series(at=T + timedelta(minutes=1))
    wrong["metric"]["labels"]["colour"] = "blue"
    with pytest.raises(InvalidArgument, match="Unrecognized metric labels"):
        metrics.create_time_series(name=PROJECT, time_series=[wrong])
    with pytest.raises(InvalidArgument):
        metrics.create_metric_descriptor(name=PROJECT, metric_descriptor={**descriptor, "value_type": "INT64"})
    listed = metrics.list_metric_descriptors(
        request={"name": PROJECT, "filter": 'metric.type = starts_with("custom.googleapis.com/mlspec")'}
    )
    assert [each.type for each in listed] == [WAPE]
    metrics.delete_metric_descriptor(name=f"{PROJECT}/metricDescriptors/{WAPE}")
    with pytest.raises(NotFound):
        metrics.get_metric_descriptor(name=f"{PROJECT}/metricDescriptors/{WAPE}")


def test_alert_policies_are_found_by_their_labels(standin: Running) -> None:
    client = monitoring.AlertPolicyServiceClient()
    for forecast in ("demand", "other"):
        policy = {"display_name": f"{forecast}: accuracy", "user_labels": {"forecast": forecast}, "combiner": "OR"}
        client.create_alert_policy(name=PROJECT, alert_policy=policy)
    (found,) = client.list_alert_policies(request={"name": PROJECT, "filter": 'user_labels.forecast="demand"'})
    assert client.get_alert_policy(name=found.name).display_name == "demand: accuracy"


def test_entries_are_found_by_what_they_say(standin: Running) -> None:
    client = LoggingServiceV2Client()
    log, resource = f"{PROJECT}/logs/mlspec", {"type": "global"}
    for minute, (severity, said) in enumerate([("INFO", "planned"), ("ERROR", "failed"), ("CRITICAL", "rolled back")]):
        entry = {
            "severity": severity, "timestamp": T + timedelta(minutes=minute),
            "json_payload": {"event": said, "forecast": "demand"}, "labels": {"run": str(minute)},
        }  # fmt: skip
        client.write_log_entries(log_name=log, resource=resource, labels={"by": "mlspec"}, entries=[entry])

    def found(text: str, order: str = "") -> list[str]:
        request = {"resource_names": [PROJECT], "filter": text, "order_by": order}
        return [each.json_payload["event"] for each in client.list_log_entries(request=request)]

    assert found(f'logName="{log}" severity>=ERROR') == ["failed", "rolled back"]
    assert found('jsonPayload.event="planned"') == ["planned"]
    assert found('labels.by="mlspec"', "timestamp desc") == ["rolled back", "failed", "planned"]
    assert found('timestamp>="2024-03-05T06:01:00Z" AND -labels.run="2"') == ["failed"]
    assert found('jsonPayload.event:"back" OR jsonPayload.missing="x"') == ["rolled back"]


def test_the_logger_that_people_use_writes_here_too(standin: Running) -> None:
    client = cloud_logging.Client()
    client.logger("mlspec").log_struct({"event": "planned"}, severity="NOTICE")
    (found,) = client.list_entries(filter_="severity=NOTICE")
    assert (found.payload, found.log_name) == ({"event": "planned"}, f"{PROJECT}/logs/mlspec")
    client.close()
