"""The OpenAPI document and its page, and what they describe: the served forecasts, their columns and their limits."""

from __future__ import annotations

import html
import json
from html.parser import HTMLParser
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.spec.forecast import Forecast
from mlspec.web.instance_schema import request_schema
from mlspec.web.instances import parse_instances
from mlspec.web.problem import ClientError
from tests.examples import forecast_spec
from tests.web.in_process import InProcessServer, cached_forecast

TWO = {"dataset": {"series": ["store", "dept"]}}
SPECS = [
    forecast_spec(),
    forecast_spec(**TWO),
    forecast_spec(dataset={"series": []}),
    forecast_spec(dataset={"series": ["horizon"]}),
]
scalars = st.sampled_from([None, True, False, 0, 1, 1.0, 2.5, 3, "", "001", 1e300, -0.0])
values = (
    scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.sampled_from(["horizon", "shop"]), scalars, max_size=2)
)
instances = st.dictionaries(st.sampled_from(["shop", "store", "dept", "horizon", "x"]), scalars, max_size=3) | values
bodies = st.fixed_dictionaries(
    {"instances": st.lists(instances, max_size=2) | values},
    optional={"parameters": st.fixed_dictionaries({}, optional={"horizon": scalars}) | values, "more": scalars},
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> InProcessServer:
    return InProcessServer(
        {
            "demand": cached_forecast("1/95", "2/95", **TWO),
            "bikes": cached_forecast("all", dataset={"series": []}),
            "new": "no version serves yet <b>",
        }
    )


@settings(max_examples=300)
@given(st.sampled_from(SPECS), bodies)
def test_the_document_allows_what_the_checks_accept_and_nothing_else(spec: Forecast, body: Any) -> None:
    def is_accepted() -> bool:
        try:
            parse_instances(json.dumps(body).encode(), spec, None)
        except ClientError:
            return False
        return True

    assert jsonschema.Draft202012Validator(request_schema(spec)).is_valid(body) == is_accepted()


def test_the_document_is_openapi_3_1(server: InProcessServer) -> None:
    import schemathesis

    found = server.ask("GET", "/openapi.json")
    assert (found.code, found.headers["content-type"], found.json["openapi"]) == (200, "application/json", "3.1.0")
    schemathesis.openapi.from_dict(found.json).validate()


def test_every_example_of_the_document_is_answered_and_the_answer_is_the_document_s(server: InProcessServer) -> None:
    document = server.ask("GET", "/openapi.json").json
    answered = 0
    for path, item in document["paths"].items():
        content = item.get("post", {}).get("requestBody", {}).get("content", {}).get("application/json", {})
        if "example" not in content:
            continue
        reply = server.ask("POST", path, content["example"])
        schema = item["post"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate(reply.json, {**schema, "components": document["components"]})
        answered += reply.code == 200
    assert answered == 3  # demand, bikes, KServe's


def test_a_server_of_one_forecast_tells_the_paths_that_need_no_name() -> None:
    server = InProcessServer({"demand": cached_forecast("1/95", **TWO)}, predict="/endpoints/1:predict")
    paths = server.ask("GET", "/openapi.json").json["paths"]
    for path in ("/predict", "/endpoints/1:predict", "/v1/models/demand:predict"):
        assert server.ask("POST", path, {"instances": [{"store": 1, "dept": 95}]}).code == 200
        assert paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"] == request_schema(SPECS[1])


def test_the_models_are_listed_and_one_is_described(server: InProcessServer) -> None:
    assert server.ask("GET", "/v1/models").json == {"models": ["demand", "bikes", "new"]}
    assert server.ask("GET", "/v1/models/demand").json == {
        "name": "demand", "ready": True, "release": 3, "traffic": {"v1": 100}, "cutoff": "2024-02-11", "time": "day",
        "series": ["store", "dept"], "series_count": 2, "frequency": "D", "kserve_frequency": ["D", "day"], "horizon": 2,
        "quantiles": [0.1, 0.5, 0.9],
    }  # fmt: skip


def test_a_model_that_is_not_ready_or_not_served_is_an_error() -> None:
    server = InProcessServer({"new": "no version serves yet", "sick": cached_forecast("1", failed="damaged")})
    for name, code, said in (
        ("new", 503, "no version serves yet"),
        ("sick", 503, "see the server log"),
        ("x", 404, "not served"),
    ):
        reply = server.ask("GET", f"/v1/models/{name}")
        assert (reply.code, said in reply.json["error"]["message"]) == (code, True)
    assert server.ask("GET", "/v1/models/new:predict").code == 405


class _Page(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_shows_every_path_and_needs_nothing_but_itself(server: InProcessServer) -> None:
    reply = server.ask("GET", "/docs")
    assert (reply.code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = _Page(reply.body.decode())
    for path in server.ask("GET", "/openapi.json").json["paths"]:
        assert path in page.text
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "style", "iframe", "b"}
    assert [attributes["href"] for tag, attributes in page.tags if tag == "a"] == ["/openapi.json"]
    assert not any("style" in attributes for _, attributes in page.tags)
    assert html.escape("no version serves yet <b>") in reply.body.decode()
