"""Lineage: what runs is told to OpenLineage where somebody asked for it, and a receiver that is down stops no run."""

from __future__ import annotations

import json
import logging
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jsonschema
import pytest

from mlspec.engine.lineage import reported_run
from mlspec.errors import DataError, WorkUnderWay
from mlspec.log_context import hide_secret
from mlspec.plan.lineage import run_id, step_inputs
from mlspec.state.lineage_event import LineageDataset, LineageEvent
from mlspec.targets.openlineage_receiver import OpenLineageReceiver, open_reporter
from tests.cli.test_session import Mlspec, mlspec
from tests.examples import forecast_spec
from tests.notify.receiver import RawReceiver, answering, receiving

__all__ = ["mlspec"]  # a fixture
T = "2024-03-01T00:00:00Z"
EVENT = LineageEvent(run_id("demand", "check", "k"), "demand.check", "START", T)
# The core of openlineage.io/spec/2-0-2/OpenLineage.json; the client brings no schema along.
FACETS = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["_producer", "_schemaURL"],
        "properties": {"_producer": {"format": "uri"}, "_schemaURL": {"format": "uri"}},
    },
}
NAMED = {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS}
DATASETS = {"type": "array", "items": {"type": "object", "required": ["namespace", "name"], "properties": NAMED}}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "eventType", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventTime": {"type": "string", "format": "date-time"},
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "producer": {"type": "string", "format": "uri"},
        "schemaURL": {"type": "string", "pattern": r"^https://openlineage\.io/spec/.*#/(\$defs|definitions)/RunEvent$"},
        "run": {
            "type": "object",
            "required": ["runId"],
            "properties": {"runId": {"type": "string", "format": "uuid"}, "facets": FACETS},
        },
        "job": {"type": "object", "required": ["namespace", "name"], "properties": NAMED},
        "inputs": DATASETS,
        "outputs": DATASETS,
    },
}


def events(got: list[tuple[dict[str, str], bytes]]) -> list[dict[str, Any]]:
    """The events that a receiver got, each after a check against the schema."""
    found = [json.loads(body) for _, body in got]
    for event in found:
        jsonschema.Draft202012Validator(RUN_EVENT, format_checker=jsonschema.FormatChecker()).validate(event)
    return found


def names(datasets: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["namespace"], one["name"]) for one in datasets}


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No configuration of OpenLineage but what a test says."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def test_each_step_of_an_apply_is_told_with_what_it_reads_and_writes(mlspec: Mlspec, alone: pytest.MonkeyPatch) -> None:
    with receiving((201, {})) as receiver:
        alone.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{receiver.port}")
        said = mlspec("apply")
        assert said.code == 0, said.err
        told = events(receiver.got)
        assert [(event["job"]["name"], event["eventType"]) for event in told] == [
            (f"demand.{step}", state)
            for step in ("check", "backtest", "train", "forecast", "inventory")
            for state in ("START", "COMPLETE")
        ]
        assert {event["job"]["namespace"] for event in told} == {"mlspec"}
        by_step = {event["job"]["name"]: event for event in told if event["eventType"] == "COMPLETE"}
        assert names(by_step["demand.check"]["inputs"]) == {("file", "data/sales.csv")}
        assert names(by_step["demand.check"]["outputs"]) >= {("mlspec", "demand.panel"), ("mlspec", "demand.series")}
        assert ("mlspec", "demand.panel") in names(by_step["demand.train"]["inputs"])
        assert ("mlspec", "demand.model") in names(by_step["demand.train"]["outputs"])
        assert ("mlspec", "demand.model") in names(by_step["demand.forecast"]["inputs"])
        assert ("mlspec", "demand.forecast") in names(by_step["demand.forecast"]["outputs"])
        assert len({event["run"]["runId"] for event in told}) == 5
        mlspec("apply")
        assert len(receiver.got) == len(told)  # nothing ran


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (DataError("the contract is broken"), "FAIL", "the contract is broken"),
        (KeyError("secret"), "FAIL", "KeyError"),
        (WorkUnderWay(kind="job", name="j", mark="m", what="train", limit=1.0), "RUNNING", None),
    ],
)
def test_a_run_that_ends_otherwise_is_told_so_too(error: Exception, state: str, message: str | None) -> None:
    told: list[LineageEvent] = []
    engine: Any = SimpleNamespace(report_lineage=told.append, clock=lambda: T)
    desired: Any = SimpleNamespace(name="demand", spec=forecast_spec())
    with pytest.raises(type(error)), reported_run(engine, desired, "train", "k", ["panel-2023", "panel", "model-v1"]):
        raise error
    assert [(event.state, event.error) for event in told] == [("START", None), (state, message)]
    assert told[0].run == told[1].run
    assert told[0].inputs == (LineageDataset("mlspec", "demand.model"), LineageDataset("mlspec", "demand.panel"))


def test_a_failure_and_its_sentence_arrive(alone: pytest.MonkeyPatch) -> None:
    with receiving((201, {})) as receiver:
        alone.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{receiver.port}")
        OpenLineageReceiver()(replace(EVENT, state="FAIL", error="the contract is broken"))
        (event,) = events(receiver.got)
    assert event["eventType"] == "FAIL"
    assert event["run"]["facets"]["errorMessage"]["message"] == "the contract is broken"


def test_no_secret_is_told(alone: pytest.MonkeyPatch) -> None:
    hide_secret("postgresql://mlspec:cafe5ecret@db/state")
    with receiving((201, {})) as receiver:
        alone.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{receiver.port}")
        OpenLineageReceiver()(replace(EVENT, state="FAIL", error="no answer of mlspec:cafe5ecret@db"))
        (event,) = events(receiver.got)
    assert event["run"]["facets"]["errorMessage"]["message"] == "no answer of mlspec:[secret]@db"


def test_a_receiver_that_is_down_or_silent_is_said_once_and_not_tried_again(
    alone: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    over = threading.Event()

    def say_nothing(_receiver: RawReceiver, connection: socket.socket) -> None:
        with suppress(OSError):
            connection.recv(1)
        over.wait()

    caplog.set_level(logging.WARNING, "mlspec")
    with answering(say_nothing) as silent:
        alone.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{silent.port}")
        slow = OpenLineageReceiver(patience=0.2)
        slow(EVENT)
        slow(EVENT)
        over.set()
    (said,) = [record.getMessage() for record in caplog.records if record.name.startswith("mlspec")]
    assert "no answer within 0.2 s. The run goes on" in said
    caplog.clear()
    alone.setenv("OPENLINEAGE__TRANSPORT__TYPE", "nobody-knows-it")
    OpenLineageReceiver()(EVENT)
    assert [record.levelname for record in caplog.records if record.name.startswith("mlspec")] == ["WARNING"]


def test_nothing_is_sent_unless_somebody_configured_it(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone.chdir(tmp_path)
    assert open_reporter({"HOME": str(tmp_path)}) is None
    assert open_reporter({"HOME": str(tmp_path), "OPENLINEAGE_URL": "http://x", "OPENLINEAGE_DISABLED": "true"}) is None
    for name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__TYPE"):
        assert open_reporter({"HOME": str(tmp_path), name: "x"}) is not None
    Path("openlineage.yml").write_text("transport: {type: noop}\n")
    assert open_reporter({"HOME": str(tmp_path)}) is not None


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        ("gs://acme-data/demand/*.csv", LineageDataset("gs://acme-data", "demand/*.csv")),
        ("bq://acme.sales.daily", LineageDataset("bigquery", "acme.sales.daily")),
        ("data/sales.csv", LineageDataset("file", "data/sales.csv")),
    ],
)
def test_a_source_has_the_name_that_other_tools_give_it(uri: str, named: LineageDataset) -> None:
    spec = forecast_spec()
    source = spec.dataset.source.model_copy(update={"uri": uri})
    dataset = spec.dataset.model_copy(update={"source": source})
    assert step_inputs("demand", spec.model_copy(update={"dataset": dataset}), "check", []) == (named,)


def test_the_files_beside_a_source_are_read_too() -> None:
    events = {"fair": {"uri": "data/events.csv"}, "school": {"uri": "data/events.csv"}, "pay": ["day 5"]}
    spec = forecast_spec(dataset={"covariates": {"events": events}})
    assert step_inputs("demand", spec, "check", []) == (
        LineageDataset("file", "data/sales.csv"),
        LineageDataset("file", "data/events.csv"),
    )
