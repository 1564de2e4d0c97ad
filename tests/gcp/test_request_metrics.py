"""What an endpoint answers is what the loop judges by: Vertex AI's own counts, read from Cloud Monitoring."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from google.api import distribution_pb2
from hypothesis import given
from hypothesis import strategies as st

from mlspec.clock import utc_now
from mlspec.plan.serving_metrics import latency_percentile
from mlspec.state.request_counts import LATENCIES
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.vertex.histograms import LatencyHistogram, apportion_requests, to_histogram
from mlspec.targets.gcp.vertex.request_metrics import RequestMetricsReader
from tests.examples import sales
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.standin.harness import Running

ONCE = ("reconcile", "--once")
LIST = "google.monitoring.v3.MetricService.ListTimeSeries"
ENDPOINT = "projects/acme-test/locations/europe-west1/endpoints/42"
ALERTS = (
    "[{name: failing, metric: error_rate, above: 0.05, severity: critical},"
    " {name: slow, metric: latency, above: 0.5, severity: critical}]"
)


def ago(minutes: float) -> str:
    return f"{utc_now() - timedelta(minutes=minutes):%Y-%m-%dT%H:%M:00+00:00}"


@pytest.fixture
def counts(standin: Running) -> Iterator[RequestMetricsReader]:
    clients = Clients(standin.project, platform.REGION)
    yield RequestMetricsReader(clients)
    clients.close()


def counted(standin: Running, at: str, deployed: str = "7", endpoint: str = ENDPOINT, **responses: int) -> None:
    classes = {f"{key[1:]}": number for key, number in responses.items()}
    times = [100.0] * sum(responses.values())
    standin.predicted(endpoint=endpoint, deployed=deployed, at=at, responses=classes, milliseconds=times)


def test_an_hour_of_a_deployment_is_its_requests_its_failures_and_its_times(
    standin: Running, counts: RequestMetricsReader
) -> None:
    counted(standin, ago(10), _2xx=20, _4xx=3, _5xx=2)
    counted(standin, ago(20), _2xx=5)
    counted(standin, ago(10), deployed="8", _2xx=1)
    counted(standin, ago(10), endpoint=f"{ENDPOINT}9", _2xx=99)
    (found,) = counts.read_request_counts("demand", "42", {"7": "v1"}, ago(60))
    assert (found.version, found.requests, found.errors) == ("v1", 30, 2)
    assert sum(found.took) == 30
    assert 0.05 < latency_percentile([found], 30) <= 0.25


def test_hours_are_told_apart_oldest_first(standin: Running, counts: RequestMetricsReader) -> None:
    counted(standin, ago(10), _2xx=1)
    counted(standin, ago(70), _2xx=2)
    counted(standin, ago(130), _2xx=4)
    found = counts.read_request_counts("demand", "42", {"7": "v1"}, ago(120))
    assert [each.requests for each in found] == [2, 1]
    assert [each.minute for each in found] == sorted(each.minute for each in found)


def test_a_thousand_endpoints_are_asked_for_once_in_a_session(standin: Running, counts: RequestMetricsReader) -> None:
    counted(standin, ago(10), _2xx=1)
    since = ago(64)
    counts.begin_session()
    for number in range(1000):
        counts.read_request_counts(
            "demand", str(number), {"7": "v1"}, ago(64 - number // 250)
        )  # minutes go by meanwhile
    assert standin.counted()[LIST] == 2
    counts.end_session()
    counts.read_request_counts("demand", "42", {"7": "v1"}, since)
    assert standin.counted()[LIST] == 4


def tally(*parts: float) -> LatencyHistogram:
    return LatencyHistogram(tuple(parts) + (0.0,) * (len(LATENCIES) + 1 - len(parts)))


@given(st.lists(st.floats(0, 1000), min_size=12, max_size=12).filter(sum), st.integers(0, 10_000))
def test_whole_counts_sum_to_the_requests_and_stay_within_one_of_their_share(parts: list[float], requests: int) -> None:
    found = apportion_requests(LatencyHistogram(tuple(parts)), requests)
    assert sum(found) == requests
    assert all(abs(each - part * requests / sum(parts)) <= 1 + 1e-6 for each, part in zip(found, parts, strict=True))


@pytest.mark.parametrize("options", [
    {"explicit_buckets": {"bounds": [5.0, 10.0, 100.0]}},
    {"linear_buckets": {"num_finite_buckets": 2, "width": 50.0, "offset": 0.0}},
    {"exponential_buckets": {"num_finite_buckets": 4, "growth_factor": 10.0, "scale": 1.0}},
], ids=["explicit", "linear", "exponential"])  # fmt: skip
def test_every_kind_of_bucket_keeps_what_it_holds(options: dict[str, object]) -> None:
    distribution = distribution_pb2.Distribution(bucket_options=options, bucket_counts=[1, 2, 3, 4])  # type: ignore[arg-type]
    assert sum(to_histogram(distribution).parts) == pytest.approx(10)


def test_what_lies_across_a_bound_is_divided_and_what_has_no_end_lies_at_its_beginning() -> None:
    distribution = distribution_pb2.Distribution(
        bucket_options={"explicit_buckets": {"bounds": [0.0, 10.0, 20_000.0]}}, bucket_counts=[0, 4, 0, 3]
    )
    assert to_histogram(distribution).parts == (2.0, 2.0, *[0.0] * 9, 3.0)
    assert apportion_requests(tally(2.0, 2.0), 8) == (4, 4, *[0] * 10)


def served(acme: Acme, capsys: pytest.CaptureFixture[str], *, failed: int, milliseconds: float) -> dict[str, str]:
    """Let the endpoint answer a hundred requests, so many failed, and return what the alerts say after a pass."""
    (deployed,) = acme.endpoint().deployed_models
    acme.standin.predicted(
        endpoint=acme.endpoint().name, deployed=deployed.id, at=ago(5),
        responses={"2xx": 100 - failed, "5xx": failed}, milliseconds=[milliseconds] * 100,
    )  # fmt: skip
    acme.run(*ONCE)
    return {each["name"]: each["state"] for each in acme.asked(capsys, "status")["forecasts"][0]["alerts"]}


def test_an_endpoint_that_fails_fires_its_alert_and_one_that_is_well_does_not(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.online()
    acme.say(alerts=ALERTS)
    assert acme.run(*ONCE) == 0
    assert served(acme, capsys, failed=0, milliseconds=80) == {"failing": "ok", "slow": "ok"}
    assert served(acme, capsys, failed=30, milliseconds=80) == {"failing": "firing", "slow": "ok"}


def test_a_version_whose_endpoint_is_slow_gives_way(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    acme.online()
    acme.say(alerts=ALERTS, rollback="{on: [slow]}")
    assert acme.run(*ONCE) == 0
    (first,) = acme.traffic()
    acme.data(sales(days=49))
    acme.say(schedule="{}", model=model_of(acme, seed=9))
    assert acme.run(*ONCE) == 0
    (second,) = acme.traffic()
    assert second != first
    served(acme, capsys, failed=0, milliseconds=3000)
    assert acme.traffic() == {first: 100}


def test_at_half_and_half_the_counts_of_each_deployment_blame_its_own_version(acme: Acme) -> None:
    acme.online(rollout="{strategy: canary, steps: [50, 100], interval: 1s}")
    acme.say(alerts=ALERTS, rollback="{on: [failing]}")
    assert acme.run(*ONCE) == 0
    (first,) = acme.traffic()
    acme.data(sales(days=49))
    acme.say(schedule="{}", model=model_of(acme, seed=9))
    assert acme.run(*ONCE) == 0
    (second,) = acme.traffic().keys() - {first}
    assert acme.traffic() == {first: 50, second: 50}
    endpoint = acme.endpoint()
    for deployed in endpoint.deployed_models:
        failed = 50 if deployed.display_name == second else 0
        acme.standin.predicted(
            endpoint=endpoint.name, deployed=deployed.id, at=ago(5), responses={"2xx": 100 - failed, "5xx": failed},
            milliseconds=[80.0] * 100,
        )  # fmt: skip
    acme.run(*ONCE)
    assert acme.traffic() == {first: 100}


def model_of(acme: Acme, *, seed: int) -> str:
    """The spec's model with another seed: another version."""
    text = (acme.root / "specs" / "demand.yaml").read_text()
    lines = text.partition("model:\n")[2].splitlines()
    inside = lines[: next(at for at, line in enumerate(lines) if line and line[0] != " ")]
    return "\n".join(["", *inside, f"  seed: {seed}"])


def test_without_the_right_to_read_metrics_there_is_no_verdict_and_the_pass_goes_on(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.online()
    acme.say(alerts=ALERTS)
    acme.standin.fault("ListTimeSeries", code=403, count=99)
    assert acme.run(*ONCE) == 0
    found = acme.asked(capsys, "status")["forecasts"][0]["alerts"]
    assert {each["state"] for each in found} == {"no-data"}


def test_a_forecast_that_serves_batch_asks_monitoring_nothing(acme: Acme) -> None:
    acme.say(alerts=ALERTS)
    assert acme.run(*ONCE) == 0
    assert not acme.standin.counted()[LIST]
