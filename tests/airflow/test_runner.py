"""What a task of a rendered DAG does when Composer runs it: Google's real clients, and Cloud Run's API stood in for on loopback.

Airflow itself is not needed for this: the DAG's text is run with the three names that it imports from Airflow made plain.
"""

from __future__ import annotations

import json
import sys
import threading
import types
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from mlspec.render.dag import dag_file
from tests.render.specs import SPECS, resolved

EXECUTION = "projects/acme-prod/locations/europe-west1/jobs/minimal-step/executions/e1"
AT = "2026-01-05T00:00:00Z"


class CloudRun(BaseHTTPRequestHandler):
    """One execution: it is asked for, and has ended with `code`."""

    asked: ClassVar[list[tuple[str, list[str]]]] = []
    code = 0
    says_so = True  # whether the operation of an execution that failed ends with an error

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (override,) = body["overrides"]["containerOverrides"]
        type(self).asked.append((self.path.split("?")[0], override["args"]))
        kind = "type.googleapis.com/google.cloud.run.v2.Execution"
        execution = {"@type": kind, "name": EXECUTION, "failedCount": int(self.code != 0)}
        outcome = (
            {"response": execution}
            if self.code == 0 or not self.says_so
            else {"error": {"code": 9, "message": "the container failed"}}
        )
        self._answer({"name": "operations/1", "done": True, "metadata": execution, **outcome})

    def do_GET(self) -> None:
        assert self.path.split("?")[0] == f"/v2/{EXECUTION}/tasks"
        self._answer({"tasks": [{"name": f"{EXECUTION}/tasks/0", "lastAttemptResult": {"exitCode": self.code}}]})

    def _answer(self, value: dict[str, Any]) -> None:
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cloud_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[CloudRun]]:
    CloudRun.asked, CloudRun.code, CloudRun.says_so = [], 0, True
    server = ThreadingHTTPServer(("127.0.0.1", 0), CloudRun)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    there = {
        "credentials": AnonymousCredentials(), "transport": "rest",
        "client_options": {"api_endpoint": f"http://127.0.0.1:{server.server_port}"},
    }  # fmt: skip
    for name in ("JobsClient", "TasksClient"):
        monkeypatch.setattr(run_v2, name, partial(getattr(run_v2, name), **there))
    yield CloudRun
    server.shutdown()
    server.server_close()
    thread.join()


class Plain:
    """Stands where Airflow's DAG and BaseOperator do."""

    def __init__(self, **words: object) -> None:
        self.words = words

    def __enter__(self) -> Plain:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set_upstream(self, _: object) -> None:
        pass


class Failed(Exception):
    """Airflow's own, for what no retry helps."""


@pytest.fixture
def dag(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The names of a rendered DAG, in Composer's environment."""
    settings = {"RUNNER": "cloud-run", "PROJECT": "acme-prod", "REGION": "europe-west1"}
    for key, value in settings.items():
        monkeypatch.setenv(f"MLSPEC_{key}", value)
    sdk, errors = types.ModuleType("airflow.sdk"), types.ModuleType("airflow.sdk.exceptions")
    vars(sdk).update(DAG=Plain, BaseOperator=Plain)
    vars(errors).update(AirflowFailException=Failed)
    for name, module in (
        ("airflow", types.ModuleType("airflow")),
        ("airflow.sdk", sdk),
        ("airflow.sdk.exceptions", errors),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    spec = resolved(SPECS["minimal"], tmp_path_factory.mktemp("spec"))
    names: dict[str, Any] = {"__name__": "dag"}
    exec(
        compile(
            dag_file(spec.forecast, spec_hash=spec.spec_hash, target="prod", file="specs/minimal.yaml"), "dag", "exec"
        ),
        names,
    )
    return names


def test_a_step_is_a_job_of_the_forecasts_own(dag: dict[str, Any], cloud_run: Any) -> None:
    assert dag["step"]("backtest", AT) == 0
    ((path, words),) = cloud_run.asked
    assert path == "/v2/projects/acme-prod/locations/europe-west1/jobs/minimal-step:run"
    assert words[:8] == ["step", "backtest", "--spec", "specs/minimal.yaml", "--target", "prod", "--at", AT]
    assert words[8:] == ["--release", dag["RELEASE"]]


@pytest.mark.parametrize("name", ["register", "roll-out"])
def test_what_changes_what_serves_runs_as_the_reconcile_job(dag: dict[str, Any], cloud_run: Any, name: str) -> None:
    dag["step"](name, AT)
    assert cloud_run.asked[0][0].endswith("/jobs/mlspec-reconcile:run")


@pytest.mark.parametrize("says_so", [True, False])
def test_a_containers_exit_code_is_the_steps_verdict(dag: dict[str, Any], cloud_run: Any, says_so: bool) -> None:
    cloud_run.code, cloud_run.says_so = 3, says_so
    assert dag["step"]("gate", AT) == 3


@pytest.mark.parametrize("code", [1, 4, 75])
def test_a_failure_is_tried_again(dag: dict[str, Any], cloud_run: Any, code: int) -> None:
    cloud_run.code = code
    with pytest.raises(RuntimeError, match=f"exit code {code}"):
        dag["step"]("backtest", AT)


def test_a_wrong_call_is_not(dag: dict[str, Any], cloud_run: Any) -> None:
    cloud_run.code = 2
    with pytest.raises(Failed):
        dag["step"]("backtest", AT)
