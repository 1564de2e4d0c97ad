"""The dashboard for Grafana asks for what the server exposes, with the labels that it has, and for all of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.web.in_process import InProcessServer, cached_forecast

DASHBOARD = json.loads((Path(__file__).parents[2] / "docs/grafana-dashboard.json").read_text())


def expressions() -> list[str]:
    """Return every query of the dashboard."""
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*asked, *(each["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query")]


def exposed() -> dict[str, set[str]]:
    """Return the labels of each sample of /metrics after a request, by its name."""
    server = InProcessServer({"demand": cached_forecast("1")})
    server.counts.record_request("demand", "v1", 0.1, failed=True)
    server.cache._given_up = {"demand": 1}
    server_text = server.ask("GET", "/metrics").body.decode()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(server_text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


def test_each_metric_of_the_dashboard_is_exposed_with_its_labels() -> None:
    known = exposed()
    asked = {name for text in expressions() for name in re.findall(r"\bmlspec_\w+", text)}
    assert asked - {*known} == set()
    labels = {
        name
        for text in expressions()
        for part in re.findall(r"\b(?:by|,) \(([^)]*)\)", text)
        for name in part.split(", ")
    }
    assert labels == {"forecast", "version", "le"}
    assert labels <= {label for found in known.values() for label in found}
    legends = {name for text in strings(DASHBOARD) for name in re.findall(r"{{(\w+)}}", text)}
    assert legends <= labels


def test_each_metric_of_the_server_has_a_panel() -> None:
    text = " ".join(expressions())
    counted = {name for name in exposed() if not re.search("_(created|sum|count)$", name)}
    assert {name for name in counted if name not in text} == set()


def test_panels_have_a_place_of_their_own_and_say_what_they_show() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places) == len({panel["id"] for panel in DASHBOARD["panels"]})
    assert all(panel["title"] and panel["description"] for panel in DASHBOARD["panels"])
