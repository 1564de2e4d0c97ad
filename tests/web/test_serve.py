"""A server in a process of its own, asked over HTTP on this machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mlspec.cli import main as front
from mlspec.installation import install_command
from tests.waiting import until
from tests.web.shop import SECOND, SHOPS, Server, Shop, mlspec, serving

pytestmark = pytest.mark.xdist_group("serve")  # one server of each kind

CANARY = {"rollout": {"strategy": "canary", "steps": [40, 100], "interval": "1h"}}


@pytest.fixture(scope="module")
def server(canary: Shop) -> Iterator[Server]:
    """A server for it."""
    with serving(canary.root) as found:
        yield found


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop where a second version has 40 % of the series."""
    shop = Shop(tmp_path_factory.mktemp("canary"), deployment=CANARY)
    shop.look()
    shop.write(model=SECOND)
    shop.look()
    assert sorted(shop.traffic.values()) == [40, 60]
    return shop


def test_a_canary_is_answered_by_the_versions_and_figures_of_the_batch_forecast(canary: Shop, server: Server) -> None:
    status, found = server.predict(*({"shop": shop} for shop in SHOPS))
    assert status == 200
    rows = {(row["shop"], row["day"]): row for row in canary.forecast()}
    assert len({row["version"] for row in rows.values()}) == 2
    assert sum(len(each["forecast"]) for each in found["predictions"]) == len(rows)
    for each in found["predictions"]:
        for period in each["forecast"]:
            row = rows[each["shop"], period["day"]]
            assert (each["version"], each["cutoff"]) == (row["version"], row["cutoff"])
            names = [name for name in period if name != "day"]
            assert names == ["mean", "q0.1", "q0.5", "q0.9"]
            assert [period[name] for name in names] == pytest.approx([float(row[name]) for name in names])


def test_the_answer_is_vertex_ais_and_an_instance_may_ask_for_fewer_periods(server: Server) -> None:
    _, found = server.predict({"shop": "001"}, {"shop": "002", "horizon": 2}, horizon=1)
    body = json.dumps({"instances": [{"shop": "001"}]}).encode()
    only = server.ask("POST", "/predict", body, content_type="application/json")
    assert set(found) <= {"predictions", "deployedModelId", "modelDisplayName", "modelVersionId"}
    assert [len(each["forecast"]) for each in found["predictions"]] == [1, 2]
    assert found["deployedModelId"] == "r2"
    assert only[0] == 200
    assert json.loads(only[2])["modelVersionId"] == json.loads(only[2])["predictions"][0]["version"]


def test_the_contract_of_vertex_ai_is_in_the_environment(canary: Shop) -> None:
    routes = {"AIP_PREDICT_ROUTE": "/v1/endpoints/1/deployedModels/2:predict", "AIP_HEALTH_ROUTE": "/health"}
    with serving(canary.root, "demand", **routes) as server:
        body = json.dumps({"instances": [{"shop": "001"}]}).encode()
        asked = server.ask("POST", routes["AIP_PREDICT_ROUTE"], body, content_type="application/json")
        assert (asked[0], server.ask("GET", "/health")[0]) == (200, 200)
    refused = mlspec(canary.root, "serve", **routes)
    assert (refused.returncode, "is for one forecast" in refused.stderr) == (2, True)
    bad = mlspec(canary.root, "serve", AIP_HTTP_PORT="many")
    assert (bad.returncode, "not a port" in bad.stderr) == (2, True)


def test_a_running_server_follows_a_step_of_the_rollout_and_a_rollback(tmp_path: Path) -> None:
    shop = Shop(tmp_path, deployment=CANARY)
    shop.look()
    (first,) = shop.traffic
    shop.write(model=SECOND)
    shop.look()
    (second,) = set(shop.traffic) - {first}
    with serving(shop.root) as server:
        assert set(server.versions().values()) == {first, second}
        shop.pass_time(hours=2)
        shop.look()
        until(lambda: set(server.versions().values()) == {second})
        assert mlspec(shop.root, "rollback", "demand", "--reason", "an exercise").returncode == 0
        until(lambda: set(server.versions().values()) == {first})


def test_a_version_in_the_shadow_answers_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path, deployment={"rollout": {"strategy": "blue-green", "interval": "1h"}})
    shop.look()
    (first,) = shop.traffic
    shop.write(model=SECOND)
    shop.look()
    assert sorted(shop.traffic.values()) == [0, 100]
    with serving(shop.root) as server:
        assert set(server.versions().values()) == {first}


def test_it_starts_before_there_is_anything_to_answer_with(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    with serving(shop.root, "demand", ready=False) as server:
        assert server.ask("GET", "/healthz")[0] == 200
        status, _, body = server.ask("GET", "/readyz")
        assert (status, json.loads(body)["ready"]) == (503, False)
        status, found = server.predict({"shop": "001"})
        assert (status, found["error"]["status"]) == (503, "UNAVAILABLE")
        shop.look()
        until(server.ready)
        assert server.predict({"shop": "001"})[0] == 200


def test_vertex_ai_finds_it_well_once_it_has_looked_and_not_before(canary: Shop, tmp_path: Path) -> None:
    """The path is one of its own, as it is registered: alive is not enough for a job that asks at once and gives up soon."""
    asked = {"AIP_HEALTH_ROUTE": "/healthz"}
    with serving(canary.root, "demand", ready=False, **asked) as server:
        until(lambda: server.ask("GET", "/healthz")[0] == 200)
        assert server.predict({"shop": "001"})[0] == 200
    with serving(Shop(tmp_path).root, "demand", ready=False, **asked) as server:
        until(lambda: server.ask("GET", "/healthz")[0] == 200)
        assert server.ask("GET", "/readyz")[0] == 503


def test_a_single_series_has_no_name(tmp_path: Path) -> None:
    shop = Shop(tmp_path, shops=("001",), dataset={"series": []})
    shop.look()
    with serving(shop.root) as server:
        status, found = server.predict({})
    assert (status, len(found["predictions"][0]["forecast"])) == (200, 2)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "is not JSON"),
        (b'{"instances": [{"shop": NaN}]}', "NaN is not a JSON number"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"instances": {}}', "with a list of instances"),
        (b'{"instances": []}', "expected 1 to 1,000 instances"),
        (b'{"instances": [{}], "model": 1}', "unknown key 'model'"),
        (b'{"instances": [1]}', "expected an object with shop"),
        (b'{"instances": [{}]}', "expected 'shop'"),
        (
            b'{"instances": [{"shop": "999"}]}',
            "the series shop='999' does not exist; expected one of 12, such as shop '000'",
        ),
        (b'{"instances": [{"shop": true}]}', "expected 'shop'"),
        (b'{"instances": [{"shop": "001", "price": 3}]}', "unknown key 'price'; expected shop, horizon"),
        (b'{"instances": [{"shop": "001", "horizon": 3}]}', "horizon is a whole number from 1 to 2"),
        (b'{"instances": [{"shop": "001"}], "parameters": {"horizon": true}}', "horizon is a whole number from 1 to 2"),
        (b'{"instances": [{"shop": "\\ud800"}]}', "the series shop="),
    ],
)
def test_a_mistake_of_the_client_is_answered_with_what_was_expected(one: Server, body: bytes, said: str) -> None:
    status, headers, found = one.ask("POST", "/v1/models/demand:predict", body, content_type="application/json")
    error = json.loads(found)["error"]
    assert (status, error["code"], error["status"]) == (400, 400, "INVALID_ARGUMENT")
    assert headers["content-type"] == "application/json"
    assert said in error["message"]


def test_paths_methods_sizes_and_forms_are_bounded(one: Server) -> None:
    json_ = {"content_type": "application/json"}

    def code(*words: object, **headers: str) -> int:
        status, _, found = one.ask(*words, **headers)
        assert json.loads(found)["error"]["code"] == status
        return int(status)

    assert code("POST", "/v1/models/demnd:predict", b"{}", **json_) == 404
    assert code("POST", "/v1/models/demand", b"{}", **json_) == 405
    assert code("GET", "/v1/models/demand:predict") == 405
    assert code("POST", "/healthz", b"", **json_) == 405
    assert code("POST", "/v1/models/demand:predict", b"shop=1", content_type="text/plain") == 415
    assert code("POST", "/v1/models/demand:predict", b" " * 2_000_000, **json_) == 413
    assert code("POST", "/v1/models/demand:predict", b"{}", content_encoding="gzip", **json_) == 415


def test_a_real_server_answers_in_kserve_s_contract_and_shows_its_document(one: Server) -> None:
    named = {"type": "univariate_time_series", "name": "001", "series": [], "frequency": "D"}
    asked = {"model": "demand", "inputs": [named], "options": {"horizon": 2, "quantiles": [0.5]}}
    status, _, body = one.ask(
        "POST", "/v1/timeseries/forecast", json.dumps(asked).encode(), content_type="application/json"
    )
    (output,) = json.loads(body)["outputs"]
    (content,) = output["content"]
    _, found = one.predict({"shop": "001"})
    periods = found["predictions"][0]["forecast"]
    assert (status, content["mean_forecast"]) == (200, [period["mean"] for period in periods])
    assert content["quantiles"] == {"0.5": [period["q0.5"] for period in periods]}
    assert json.loads(one.ask("GET", "/v1/models")[2]) == {"models": ["demand"]}
    document = json.loads(one.ask("GET", "/openapi.json")[2])
    page = one.ask("GET", "/docs")
    assert (page[0], page[1]["content-security-policy"]) == (200, "default-src 'none'; frame-ancestors 'none'")
    assert "/v1/models/demand:predict" in document["paths"]


def test_what_is_no_http_is_answered_in_json_too(one: Server) -> None:
    with socket.create_connection(("127.0.0.1", one.port), timeout=30) as client:
        client.sendall(b"HELO shop\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert json.loads(body)["error"]["code"] == 400


def test_the_metrics_page_is_prometheus_and_adds_up(canary: Shop, server: Server) -> None:
    def samples(name: str, ending: str = "") -> dict[str, float]:
        page = server.ask("GET", "/metrics")[2].decode()
        (found,) = [family.samples for family in text_string_to_metric_families(page) if family.name == name]
        return {each.labels["version"]: each.value for each in found if each.name == name + ending}

    server.versions()
    before = samples("mlspec_requests", "_total")
    own = server.versions()["001"]
    for _ in range(4):
        server.predict({"shop": "001"})
    assert samples("mlspec_requests", "_total") == {
        version: count + 1 + 4 * (version == own) for version, count in before.items()
    }
    assert set(samples("mlspec_errors", "_total").values()) == {0.0}
    assert samples("mlspec_latency_seconds", "_count") == samples("mlspec_requests", "_total")
    assert samples("mlspec_traffic_share") == {name: share / 100 for name, share in canary.traffic.items()}
    assert set(samples("mlspec_forecast_age_seconds")) == set(canary.traffic)
    assert min(samples("mlspec_forecast_age_seconds").values()) > 0


def test_a_port_that_is_taken_and_a_name_that_is_unknown_are_refused_in_words(canary: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = mlspec(canary.root, "serve", "--port", str(taken.getsockname()[1]))
    assert (refused.returncode, "cannot listen on 127.0.0.1" in refused.stderr) == (2, True)
    unknown = mlspec(canary.root, "serve", "demnd")
    assert (unknown.returncode, "did you mean 'demand'?" in unknown.stderr) == (2, True)


def test_without_its_libraries_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "uvicorn" else name)
    assert front.run(["serve"]) == 1
    assert install_command("serve") in capsys.readouterr().err
