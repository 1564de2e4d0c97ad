"""What a task of a rendered DAG does when Composer runs it: Google's real clients, and Cloud Run's API stood in for on loopback.

Airflow itself is not needed for this: the DAG's text is run with the names that it imports from Airflow made plain.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
import threading
import types
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from mlspec.render.dag import dag_file
from tests.render.specs import SPECS, resolved
from tests.waiting import until

PLACE = "projects/acme-prod/locations/europe-west1/jobs"
EXECUTION = f"{PLACE}/minimal-step/executions/e1"
KIND = "type.googleapis.com/google.cloud.run.v2.Execution"
AT = "2026-01-05T00:00:00Z"


class CloudRun(BaseHTTPRequestHandler):
    """Executions of jobs: the one that is asked for ends with `code`, after some looks at it or when it is cancelled."""

    asked: ClassVar[list[tuple[str, list[str]]]] = []
    cancelled: ClassVar[list[str]] = []
    running: ClassVar[list[dict[str, Any]]] = []  # what a list of executions shows
    code = 0
    looks = 0  # how often the execution is seen running; it is seen so for ever below zero

    def do_POST(self) -> None:
        path = self.path.split("?")[0]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        if path.endswith(":cancel"):
            type(self).cancelled.append(path.removeprefix("/v2/").removesuffix(":cancel"))
            return self._answer({"name": "operations/2", "done": True, "response": {"@type": KIND}})
        (override,) = body["overrides"]["containerOverrides"]
        type(self).asked.append((path, override["args"]))
        return self._answer({"name": "operations/1", "metadata": {"@type": KIND, "name": EXECUTION}})

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.endswith("/tasks"):
            parent = path.removeprefix("/v2/").removesuffix("/tasks")
            return self._answer(
                {"tasks": [{"name": f"{parent}/tasks/0", "lastAttemptResult": {"exitCode": self.code}}]}
            )
        if path.endswith("/executions"):
            parent = path.removeprefix("/v2/")
            return self._answer({"executions": [each for each in self.running if each["name"].startswith(parent)]})
        return self._answer(self._execution(path.removeprefix("/v2/")))

    def _execution(self, name: str) -> dict[str, Any]:
        found = {"name": name, "taskCount": 1}
        if name not in self.cancelled and self.looks:
            type(self).looks -= 1
            return found
        ended = "cancelledCount" if name in self.cancelled else "failedCount" if self.code else "succeededCount"
        return {**found, "completionTime": "2026-01-05T00:09:00Z", ended: 1}

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
    CloudRun.asked, CloudRun.cancelled, CloudRun.running, CloudRun.code, CloudRun.looks = [], [], [], 0, 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), CloudRun)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    there = {
        "credentials": AnonymousCredentials(), "transport": "rest",
        "client_options": {"api_endpoint": f"http://127.0.0.1:{server.server_port}"},
    }  # fmt: skip
    for name in ("JobsClient", "TasksClient", "ExecutionsClient"):
        monkeypatch.setattr(run_v2, name, partial(getattr(run_v2, name), **there))
    yield CloudRun
    server.shutdown()
    server.server_close()
    thread.join()


class Plain:
    """Stands where Airflow's DAG, BaseOperator, Asset and Param do."""

    def __init__(self, *_: object, **words: object) -> None:
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
    """The names of a rendered DAG, in Composer's environment, at the first try of a task."""
    settings = {"RUNNER": "cloud-run", "PROJECT": "acme-prod", "REGION": "europe-west1", "POLL": "0"}
    for key, value in settings.items():
        monkeypatch.setenv(f"MLSPEC_{key}", value)
    sdk, errors = types.ModuleType("airflow.sdk"), types.ModuleType("airflow.sdk.exceptions")
    vars(sdk).update(DAG=Plain, BaseOperator=Plain, Asset=Plain, Param=Plain, exceptions=errors)
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
    names["CURRENT"]["task"] = types.SimpleNamespace(try_number=1)
    return names


def test_a_step_is_a_job_of_the_forecasts_own(dag: dict[str, Any], cloud_run: Any) -> None:
    assert dag["step"]("backtest", AT) == 0
    ((path, words),) = cloud_run.asked
    assert path == "/v2/projects/acme-prod/locations/europe-west1/jobs/minimal-step:run"
    assert words[:8] == ["step", "backtest", "--spec", "specs/minimal.yaml", "--target", "prod", "--at", AT]
    assert words[8:] == ["--lock-timeout", "10800s", "--release", dag["RELEASE"]]


def test_a_step_waits_for_another_run_and_has_time_left_for_its_own_work(dag: dict[str, Any]) -> None:
    assert 3600 <= dag["LOCK_SECONDS"] <= dag["STEP_SECONDS"] / 2


def test_alerts_are_published_to_composers_topic(dag: dict[str, Any], cloud_run: Any) -> None:
    dag["SETTINGS"]["topic"] = "projects/acme-prod/topics/mlspec-alerts"
    dag["step"]("publish-alerts", AT)
    ((path, words),) = cloud_run.asked
    assert path.endswith("/jobs/mlspec-reconcile:run")
    assert words[-2:] == ["--topic", "projects/acme-prod/topics/mlspec-alerts"]


@pytest.mark.parametrize("name", ["move-traffic", "register", "roll-out", "finish"])
def test_what_changes_what_serves_runs_as_the_reconcile_job(dag: dict[str, Any], cloud_run: Any, name: str) -> None:
    dag["step"](name, AT)
    assert cloud_run.asked[0][0].endswith("/jobs/mlspec-reconcile:run")


@pytest.mark.parametrize("looks", [0, 2])
def test_a_containers_exit_code_is_the_steps_verdict(dag: dict[str, Any], cloud_run: Any, looks: int) -> None:
    cloud_run.code, cloud_run.looks = 3, looks
    assert dag["step"]("gate", AT) == 3


def still_running(name: str, words: list[str], job: str = "minimal-step") -> dict[str, Any]:
    """An execution as a list shows it."""
    return {"name": f"{PLACE}/{job}/executions/{name}", "template": {"containers": [{"args": words}]}}


def test_a_task_that_is_tried_again_joins_what_its_last_try_left_running(dag: dict[str, Any], cloud_run: Any) -> None:
    dag["step"]("gate", AT)
    ((_, words),) = cloud_run.asked
    cloud_run.running = [still_running("other", ["step", "check"]), still_running("e0", words)]
    dag["CURRENT"]["task"].try_number = 2
    cloud_run.code = 3
    assert dag["step"]("gate", AT) == 3
    assert len(cloud_run.asked) == 1
    cloud_run.running = [{**still_running("e0", words), "completionTime": "2026-01-05T00:09:00Z"}]
    dag["step"]("gate", AT)
    assert len(cloud_run.asked) == 2


def test_a_task_that_is_killed_cancels_its_execution(
    dag: dict[str, Any], cloud_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Airflow does it: SIGTERM arrives while the task waits, and the task goes on behind `on_kill`."""
    cloud_run.looks = -1
    monkeypatch.setattr(dag["time"], "sleep", lambda _: dag["Task"].on_kill(None))
    with pytest.raises(RuntimeError, match="exit code"):
        dag["step"]("backtest", AT)
    assert cloud_run.cancelled == [EXECUTION]


def test_an_execution_that_takes_longer_than_a_step_may_is_cancelled(dag: dict[str, Any], cloud_run: Any) -> None:
    cloud_run.looks, dag["STEP_SECONDS"] = -1, 0
    with pytest.raises(TimeoutError):
        dag["step"]("backtest", AT)
    assert cloud_run.cancelled == [EXECUTION]


class Run:
    """A run of the DAG, as a task and a callback see it."""

    logical_date = datetime(2026, 1, 5, tzinfo=UTC)
    run_after = logical_date

    def __init__(self, at: str | None = None) -> None:
        self.conf = {"at": at} if at else None


def test_what_a_failed_run_left_running_is_cancelled_and_nothing_else(dag: dict[str, Any], cloud_run: Any) -> None:
    mine = ["step", "backtest", "--spec", "specs/minimal.yaml", "--at", AT]
    cloud_run.running = [
        still_running("mine", mine),
        still_running("mine-too", mine, "mlspec-reconcile"),
        still_running("another-day", [*mine[:-1], "2026-01-06T00:00:00Z"]),
        still_running("another-forecast", [*mine[:3], "specs/a.yaml", *mine[4:]], "mlspec-reconcile"),
        {**still_running("ended", mine), "completionTime": "2026-01-05T00:09:00Z"},
    ]
    dag["end_leftovers"]({"dag_run": Run()})
    assert [name.rpartition("/")[2] for name in cloud_run.cancelled] == ["mine", "mine-too"]


@pytest.mark.parametrize(
    ("asked", "at"),
    [
        (None, "2026-01-05T00:00:00Z"),
        ("2026-02-01", "2026-02-01T00:00:00Z"),
        ("2026-02-01T06:00:00+02:00", "2026-02-01T04:00:00Z"),
        ("2026-02-01T06:00:00Z", "2026-02-01T06:00:00Z"),
    ],
)
def test_the_date_that_a_person_asked_for_is_the_moment(dag: dict[str, Any], asked: str | None, at: str) -> None:
    assert dag["moment"]({"dag_run": Run(asked)}) == at


def test_a_date_is_one_of_the_schedules_time_zone(dag: dict[str, Any]) -> None:
    dag["SPEC"]["timezone"] = "America/Sao_Paulo"
    assert dag["moment"]({"dag_run": Run("2026-02-01")}) == "2026-02-01T03:00:00Z"


def test_a_date_that_there_is_not_is_not_tried_again(dag: dict[str, Any]) -> None:
    with pytest.raises(Failed, match="no date"):
        dag["moment"]({"dag_run": Run("2026-02-30T00:00:00Z")})


# A program that starts another one and minds no SIGTERM; it says when it is ready.
DEAF = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print("ready", child.pid, file=sys.stderr, flush=True)
time.sleep(600)
"""


def on_this_machine(dag: dict[str, Any], program: str) -> int:
    """Run a program in place of mlspec, and kill the task at its first line, as Airflow does."""
    dag["SETTINGS"]["command"] = sys.executable
    log = logging.getLogger("mlspec")
    kill = KillAtFirstLine(dag)
    log.addHandler(kill)
    try:
        code: int = dag["run_here"]("job", ["-c", program])
    finally:
        log.removeHandler(kill)
    return code


class KillAtFirstLine(logging.Handler):
    """Stands where Airflow's SIGTERM arrives: when the program is known to be ready."""

    def __init__(self, dag: dict[str, Any]) -> None:
        super().__init__()
        self.dag, self.lines = dag, list[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if len(self.lines) == 1:
            self.dag["Task"].on_kill(None)


def test_what_minds_no_request_to_stop_is_killed_with_what_it_started(
    dag: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    dag["GRACE_SECONDS"] = 0
    assert on_this_machine(dag, DEAF) == -signal.SIGKILL
    child = int(caplog.messages[0].split()[1])
    until(lambda: not alive(child))


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# A program that records that it was stopped, as mlspec does.
TIDY = """
import signal, sys, time
def stop(*_):
    print("stopped", file=sys.stderr, flush=True)
    sys.exit(4)
signal.signal(signal.SIGTERM, stop)
print("ready", file=sys.stderr, flush=True)
time.sleep(600)
"""


def test_what_is_asked_to_stop_has_time_to_say_so(dag: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    dag["GRACE_SECONDS"] = 600
    assert on_this_machine(dag, TIDY) == 4
    assert caplog.messages == ["ready", "stopped"]


@pytest.mark.parametrize("code", [4, 75, 137, 143])
def test_what_may_pass_is_tried_again(dag: dict[str, Any], cloud_run: Any, code: int) -> None:
    cloud_run.code = code
    with pytest.raises(RuntimeError, match=f"exit code {code}"):
        dag["step"]("backtest", AT)


@pytest.mark.parametrize("code", [1, 2])
@pytest.mark.parametrize("name", ["check", "gate", "finish"])
def test_what_no_retry_mends_is_not(dag: dict[str, Any], cloud_run: Any, name: str, code: int) -> None:
    cloud_run.code = code
    with pytest.raises(Failed, match=f"exit code {code}"):
        dag["step"](name, AT)


@pytest.mark.parametrize(("name", "goes_on"), [("check", True), ("evaluate", True), ("gate", True), ("finish", False)])
def test_a_verdict_of_not_well_goes_on_where_there_is_more_to_do(
    dag: dict[str, Any], cloud_run: Any, name: str, goes_on: bool
) -> None:
    cloud_run.code = 3
    if goes_on:
        assert dag["step"](name, AT) == 3
        return
    with pytest.raises(Failed, match="exit code 3"):
        dag["step"](name, AT)


def test_a_version_that_was_kept_out_is_told_once_and_makes_the_run_red(
    dag: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    task = types.SimpleNamespace(task_id="kept_out")
    context = {"dag_run": Run(), "ti": types.SimpleNamespace(xcom_pull=lambda **_: 3), "task_instance": task}
    with pytest.raises(Failed, match="the gate kept a version out"):
        dag["Task"].perform(task, context)
    dag["on_failure"](context)
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert told == ["gate-closed"]
