"""The redeploy function moves traffic by itself: by the loop's decision, on the record, whatever comes and however often."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functions.test_redeploy import incident, push, said
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.function import Function, served
from tests.gcp.standin.harness import ROOT
from tests.gcp.test_request_metrics import ago, model_of

ONCE = ("reconcile", "--once")
ALERTS = "[{name: failing, metric: error_rate, above: 0.05, severity: critical}]"
LATER = ["reconcile", "--once", "--yes", "--lock-timeout", "10m", "--target", "dev", "--select", "demand"]
STARTED = "google.cloud.run.v2.Jobs.RunJob"
REMEMBERED = "storage.objects.insert"


@pytest.fixture
def two(acme: Acme) -> tuple[str, str]:
    """A version that served before, and the one that serves; the loop's job is there, and its container does nothing."""
    platform.loop(acme.project)
    acme.online()
    acme.say(alerts=ALERTS, rollback="{on: [failing]}")
    assert acme.run(*ONCE) == 0
    (first,) = acme.traffic()
    acme.say(model=model_of(acme, seed=9))
    assert acme.run(*ONCE) == 0
    (second,) = acme.traffic()
    assert second != first
    return first, second


@pytest.fixture
def function(acme: Acme, two: tuple[str, str], tmp_path: Path) -> Iterator[Function]:
    assert two
    with served(tmp_path, acme.project, "dev", acme.standin.environment) as found:
        yield found


def answered(acme: Acme, failed: int) -> None:
    """Let the endpoint have answered a hundred requests, so many of them with an error."""
    (deployed,) = acme.endpoint().deployed_models
    acme.standin.predicted(
        endpoint=acme.endpoint().name, deployed=deployed.id, at=ago(5),
        responses={"2xx": 100 - failed, "5xx": failed}, milliseconds=[80.0] * 100,
    )  # fmt: skip


def pushed(function: Function, message: dict[str, Any]) -> int:
    """Push a message as Pub/Sub does, and return the status of the answer."""
    request = urllib.request.Request(function.address, push(message), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return int(answer.status)


def events(acme: Acme, capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [each["reason"] for each in acme.asked(capsys, "history", "demand")["events"]]


def started(acme: Acme) -> list[list[str]]:
    """What the loop's job was started with."""
    return [list(each.template.containers[0].args) for each in platform.executions(acme.project, "mlspec-reconcile")]


def test_an_incident_moves_traffic_to_the_last_good_version_before_any_container_starts(
    acme: Acme, two: tuple[str, str], function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = two
    answered(acme, failed=40)
    assert pushed(function, incident()) == 204
    assert acme.traffic() == {first: 100}
    alert, moved, woken = function.said("NOTICE")
    assert alert.startswith("alert failing is firing")
    assert moved.startswith(f"rolled back: {second} was replaced by {first}")
    assert woken == "started the reconcile job for a forecast"
    assert started(acme) == [LATER]
    assert "RolledBack" in events(acme, capsys)
    assert acme.run(*ONCE) == 0  # what the loop's job does: the forecast is made anew by what serves now
    assert {row["version"] for row in acme.asked(capsys, "forecast", "demand")["rows"]} == {first}
    assert acme.traffic() == {first: 100}


def test_an_alert_that_comes_again_moves_nothing_again(acme: Acme, two: tuple[str, str], function: Function) -> None:
    first, _ = two
    answered(acme, failed=40)
    for message in (said(), incident(), said()):
        assert pushed(function, message) == 204
    assert started(acme) == [LATER, LATER]  # once for the message of the DAG, once for the incident
    before = acme.changed()
    for message in (said(), incident(), incident("closed")):
        assert pushed(function, message) == 204
    assert acme.changed() == before
    assert acme.run(*ONCE) == 0
    assert pushed(function, said()) == 204
    assert acme.traffic() == {first: 100}
    assert started(acme) == [LATER, LATER]
    assert len(acme.endpoint().deployed_models) == 1


def test_a_message_that_nothing_bears_out_changes_nothing(
    acme: Acme, two: tuple[str, str], function: Function, capsys: pytest.CaptureFixture[str]
) -> None:
    _, second = two
    answered(acme, failed=0)
    acme.run(*ONCE)
    before, objects = acme.changed(), acme.objects("state")
    for message in (incident(), said(), said(event="task-failed"), incident(forecast="never-heard-of")):
        assert pushed(function, message) == 204
    assert {name for name, count in acme.changed().items() if count != before[name]} == {STARTED, REMEMBERED}
    marks = [name for name in acme.objects("state") if name.endswith(".alert")]
    assert sorted({*acme.objects("state")} - {*marks}) == objects
    assert [name.split("/")[:3] for name in marks] == [["forecasts", "demand", "starts"]] * 3 + [
        ["forecasts", "never-heard-of", "starts"]
    ]
    assert acme.traffic() == {second: 100}
    assert "RolledBack" not in events(acme, capsys)


def test_a_function_that_may_not_move_traffic_says_so_and_leaves_it_to_the_loop(
    acme: Acme, two: tuple[str, str], function: Function
) -> None:
    first, second = two
    answered(acme, failed=40)
    acme.standin.fault("EndpointService.(UpdateEndpoint|DeployModel)", code=403, count=99)
    assert pushed(function, incident()) == 204
    assert acme.traffic() == {second: 100}
    assert function.said("WARNING") == ["the alert could not be handled here"]
    assert started(acme) == [LATER]
    acme.standin.calm()
    assert acme.run(*ONCE) == 0
    assert acme.traffic() == {first: 100}


# Each effect of a rollback, by the words of its call, and what comes before it: the record is written at its end.
EFFECTS = [
    ("deploy ", "look"), ("split the traffic", "look"), ("undeploy ", "look"), ("make ", "look"),
    ("write gs://acme-test-mlspec-state/forecasts/demand/state.db", "make "),
]  # fmt: skip


def killed_before(acme: Acme, effect: str, after: str) -> int:
    """Answer an alert in a process that is killed before an effect; return what it ended with."""
    argv = [
        sys.executable,
        "-m",
        "tests.gcp.processes.killed_before_effect",
        effect,
        after,
        acme.project,
        platform.REGION,
    ]
    return subprocess.run(argv, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False).returncode


def test_a_function_that_is_killed_before_each_effect_is_made_good_by_the_next(
    acme: Acme, two: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = two
    answered(acme, failed=40)
    ends = [killed_before(acme, effect, after) for effect, after in EFFECTS]
    assert ends == [-signal.SIGKILL] * len(EFFECTS)
    assert killed_before(acme, "never", "never") == 0
    assert acme.traffic() == {first: 100}
    assert [each.display_name for each in acme.endpoint().deployed_models] == [first]
    history = acme.asked(capsys, "history", "demand")
    assert [each["reason"] for each in history["events"]].count("RolledBack") == 1
    assert history["releases"][0]["version"] == first
    assert len(history["releases"]) == 3


def test_nothing_that_is_heavy_is_loaded_to_answer(acme: Acme, two: tuple[str, str]) -> None:
    assert two
    answered(acme, failed=40)
    code = (
        "import json, sys\nfrom mlspec.cli.redeploy import redeploy\nfrom mlspec.spec.gcp.location import GcpLocation\n"
        f"found = redeploy(GcpLocation('dev', {acme.project!r}, {platform.REGION!r}), 'demand')\n"
        "print(json.dumps([found.actions, sorted({'pandas', 'numpy', 'sklearn', 'pyarrow', 'airflow'} & set(sys.modules))]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    did, loaded = json.loads(done.stdout)
    assert did
    assert loaded == []
