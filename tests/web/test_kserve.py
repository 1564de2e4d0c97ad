"""KServe's time series contract: the forecasts, versions, limits and counts are those of Vertex AI's contract."""

from __future__ import annotations

from typing import Any

import pytest

from mlspec.web.access import Access
from tests.web.in_process import InProcessServer, cached_forecast

PATH = "/v1/timeseries/forecast"
TWO = {"dataset": {"series": ["store", "dept"]}}
# What github.com/kserve/kserve, types.py, requires of an answer.
REQUIRED = {"id", "created_at", "status", "model", "outputs"}
REQUIRED_OF_OUTPUT = {"type", "id", "status", "content"}
REQUIRED_OF_CONTENT = {"type", "name", "mean_forecast", "frequency", "start_timestamp"}


def series(name: str, **parts: Any) -> dict[str, Any]:
    return {"type": "univariate_time_series", "name": name, "series": [], "frequency": "D", **parts}


def request(*inputs: dict[str, Any], model: str = "demand", **options: Any) -> dict[str, Any]:
    return {"model": model, "inputs": list(inputs), "options": {"horizon": 2, **options}}


@pytest.fixture
def server() -> InProcessServer:
    return InProcessServer({"demand": cached_forecast("1/95", "2/95", traffic={"v1": 50, "v2": 50}, **TWO)})


def test_it_answers_in_the_contract_s_words(server: InProcessServer) -> None:
    asked = request(series("2/95"), series("1/95", frequency="day"), quantiles=[0.9, 0.1])
    reply = server.ask("POST", PATH, {**asked, "metadata": {"request_id": "r"}, "other_properties": "value"})
    assert reply.code == 200
    found = reply.json
    assert set(found) == REQUIRED
    assert (found["status"], found["model"], found["created_at"]) == ("completed", "demand", 1796115600)
    assert [set(output) for output in found["outputs"]] == [REQUIRED_OF_OUTPUT] * 2
    assert len({found["id"], *(output["id"] for output in found["outputs"])}) == 3
    second, first = (output["content"][0] for output in found["outputs"])
    assert set(first) == REQUIRED_OF_CONTENT | {"quantiles", "cutoff", "version"}
    assert (first["name"], first["frequency"], first["start_timestamp"]) == ("1/95", "day", "2024-02-12")
    assert (first["mean_forecast"], first["quantiles"]) == ([0.0, 10.0], {"0.9": [3.0, 13.0], "0.1": [1.0, 11.0]})
    assert (second["mean_forecast"], second["cutoff"]) == ([100.0, 110.0], "2024-02-11")


def test_without_quantiles_the_mean_alone_is_returned(server: InProcessServer) -> None:
    content = server.ask("POST", PATH, request(series("1/95"), horizon=1.0)).json["outputs"][0]["content"][0]
    assert (content["mean_forecast"], "quantiles" in content) == ([0.0], False)


def test_both_contracts_answer_alike_and_are_counted_alike(server: InProcessServer) -> None:
    keys = ["1/95", "2/95"]
    kserve = server.ask("POST", PATH, request(*map(series, keys))).json
    counted = server.requests_by_version()
    instances = [{"store": key[0], "dept": 95} for key in keys]
    vertex = server.ask("POST", "/v1/models/demand:predict", {"instances": instances}).json
    contents = [output["content"][0] for output in kserve["outputs"]]
    assert [
        (one["version"], one["cutoff"], one["start_timestamp"], one["mean_forecast"]) for one in contents
    ] == [
        (one["version"], one["cutoff"], one["forecast"][0]["day"], [period["mean"] for period in one["forecast"]])
        for one in vertex["predictions"]
    ]  # fmt: skip
    assert set(counted.values()) == {1.0}
    assert server.requests_by_version() == {version: 2 * count for version, count in counted.items()}


@pytest.mark.parametrize(
    ("asked", "code", "param", "said"),
    [
        ([], 400, "", "expected an object"),
        ({}, 400, "model", "Field required"),
        (request(), 400, "inputs", "at least 1 item"),
        (request(*(series(str(number)) for number in range(1001))), 400, "inputs", "at most 1000 items"),
        (request(series("1/95"), model="demnd"), 404, "", "'demnd' is not served; expected one of demand"),
        (request(series("9/95")), 400, "inputs.0.name", "does not exist; expected one of 2, such as '1/95', '2/95'"),
        (request(series("1/95"), series("1/95")), 400, "inputs.1.name", "occurs twice"),
        (request(series("1/95", series=[1.0])), 400, "inputs.0.series", "at most 0 items"),
        (request(series("1/95", frequency="W")), 400, "inputs.0.frequency", "expected D or day, the forecast's frequency"),
        (request(series("1/95", frequency="FORTNIGHT")), 400, "inputs.0.frequency", "'week'"),
        (request(series("1/95", type="multivariate_time_series")), 400, "inputs.0.type", "univariate_time_series"),
        (request(series("1/95"), horizon=3), 400, "options.horizon", "expected 1 to 2, the spec's horizon"),
        (request(series("1/95"), horizon="2"), 400, "options.horizon", "valid integer"),
        (request(series("1/95"), horizon=True), 400, "options.horizon", "valid integer"),
        (request(series("1/95"), quantiles=[0.2]), 400, "options.quantiles", "0.2 is not forecast; expected some of 0.1, 0.5, 0.9"),
    ],
)  # fmt: skip
def test_a_mistake_is_answered_in_the_contract_s_form(
    server: InProcessServer, asked: Any, code: int, param: str, said: str
) -> None:
    reply = server.ask("POST", PATH, asked)
    fault = reply.json["error"]
    assert (reply.code, fault["code"], fault["param"]) == (code, str(code), param)
    assert fault["type"] == {400: "BadRequestError", 404: "NotFoundError"}[code]
    assert said in fault["message"]
    assert server.requests_by_version() == {}


def test_the_limits_and_the_token_are_those_of_every_path(server: InProcessServer) -> None:
    assert server.ask("POST", PATH, b"{").json["error"]["message"].endswith('"options": {"horizon": ...}}')
    assert server.ask("POST", PATH, b" " * 1_500_001).code == 413
    assert server.ask("POST", PATH, b"{}", **{"content-type": "text/plain"}).code == 415
    assert server.ask("POST", PATH, request(series("1/95")), host="evil.example").code == 421
    guarded = InProcessServer({"demand": cached_forecast("1", **TWO)}, Access(frozenset({"localhost"}), token="t" * 16))
    for method, path in (
        ("POST", PATH),
        ("GET", "/v1/models"),
        ("GET", "/v1/models/demand"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
    ):
        assert guarded.ask(method, path, {} if method == "POST" else None).code == 401


def test_a_forecast_that_is_not_ready_or_fails_says_so_and_is_counted() -> None:
    server = InProcessServer({"new": "no version serves yet", "sick": cached_forecast("1/95", failed="damaged", **TWO)})
    waits = server.ask("POST", PATH, request(series("1/95"), model="new"))
    assert (waits.code, waits.json["error"]["type"]) == (503, "ServiceUnavailableError")
    fails = server.ask("POST", PATH, request(series("1/95"), model="sick"))
    assert (fails.code, fails.json["error"]["type"]) == (500, "InternalServerError")
    assert server.requests_by_version() == {"": 1.0, "v1": 1.0}


@pytest.mark.parametrize(
    ("dataset", "words"),
    [
        ({"frequency": "W-FRI"}, ["W", "week"]),
        ({"frequency": "h"}, ["H", "hour"]),
        ({"frequency": "QS-APR"}, ["Q", "quarter"]),
        ({"frequency": "2W"}, []),
        ({"frequency": "B"}, []),
        ({"frequency": "D", "calendar": {"open": ["MON", "TUE"]}}, []),
    ],
)
def test_a_frequency_that_the_contract_has_no_word_for_is_refused(dataset: dict[str, Any], words: list[str]) -> None:
    server = InProcessServer({"demand": cached_forecast("all", dataset={"series": [], **dataset})})
    assert server.ask("GET", "/v1/models/demand").json["kserve_frequency"] == words
    for word in words:
        assert server.ask("POST", PATH, request(series("all", frequency=word))).code == 200
    refused = server.ask("POST", PATH, request(series("all", frequency="M")))
    assert refused.code == 400
    assert ("predict instead" in refused.json["error"]["message"]) == (not words)


def test_a_method_by_rule_is_told() -> None:
    cached = cached_forecast("all", dataset={"series": [], "ended_series": "zero"})
    predictions: Any = cached.versions["v1"].predictions
    predictions.methods["all"] = "ended"
    server = InProcessServer({"demand": cached})
    assert server.ask("POST", PATH, request(series("all"))).json["outputs"][0]["content"][0]["method"] == "ended"
