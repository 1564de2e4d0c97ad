"""What the redeploy function takes for an alert, and what it answers: real framework, real client, Cloud Run's API stood in for.

What it moves, `tests/gcp/test_redeploy.py` shows.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import functions_framework
import pytest
from flask.testing import FlaskClient
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from mlspec.engine.alert_starts import StartClaim, claim_start
from mlspec.engine.pass_result import PassResult
from mlspec.plan.alert_starts import CLAIM
from mlspec.spec.gcp.location import GcpLocation
from tests.functions.marks import Marks

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "infra" / "functions" / "redeploy" / "main.py"


class CloudRun(BaseHTTPRequestHandler):
    """Takes what the client sends for a job to be run."""

    asked: ClassVar[list[tuple[str, list[str]]]] = []
    status = 200

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = [word for each in body["overrides"]["containerOverrides"] for word in each["args"]]
        type(self).asked.append((self.path.split("?")[0], words))
        answer = (
            {"name": "operations/1"} if self.status == 200 else {"error": {"code": self.status, "message": "later"}}
        )
        text = json.dumps(answer).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cloud_run() -> Iterator[type[CloudRun]]:
    CloudRun.asked, CloudRun.status = [], 200
    server = ThreadingHTTPServer(("127.0.0.1", 0), CloudRun)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    CloudRun.address = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield CloudRun
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[GcpLocation, str]]:
    """The alerts that mlspec was asked to answer: it has nothing to say to them."""
    found: list[tuple[GcpLocation, str]] = []

    def answer(place: GcpLocation, forecast: str) -> PassResult:
        found.append((place, forecast))
        return PassResult(forecast)

    monkeypatch.setattr("mlspec.cli.redeploy.redeploy", answer)
    return found


@pytest.fixture
def marks(monkeypatch: pytest.MonkeyPatch) -> Marks:
    """What is remembered of messages: the real rules, on a bucket in memory."""
    found = Marks()

    def claim(_place: GcpLocation, forecast: str, message: str) -> StartClaim:
        return claim_start(found, forecast, message, found.now)

    monkeypatch.setattr("mlspec.cli.redeploy.claim_start", claim)
    return found


@pytest.fixture
def function(cloud_run: Any, answers: list[Any], marks: Marks, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The function in its framework; its client speaks to loopback."""
    assert answers == []
    assert marks.known == {}
    monkeypatch.setenv("MLSPEC_PROJECT", "acme-prod")
    monkeypatch.setenv("MLSPEC_REGION", "europe-west1")
    monkeypatch.setenv("MLSPEC_TARGET", "prod")
    app = functions_framework.create_app("on_alert", str(SOURCE), "http")
    client = run_v2.JobsClient(
        credentials=AnonymousCredentials(), transport="rest", client_options={"api_endpoint": cloud_run.address}
    )
    monkeypatch.setattr(sys.modules["main"], "jobs_client", lambda: client)
    return app.test_client()


def push(value: object, raw: bytes | None = None) -> bytes:
    """A push of Pub/Sub, as its documentation has it."""
    data = base64.b64encode(json.dumps(value).encode() if raw is None else raw).decode()
    envelope = {
        "message": {"data": data, "messageId": "1", "attributes": {}},
        "subscription": "projects/p/subscriptions/s",
    }
    return json.dumps(envelope).encode()


def incident(state: str = "open", forecast: str = "demand", number: str = "0.abc") -> dict[str, Any]:
    """An incident of Monitoring, as its documentation has it."""
    return {
        "version": "1.2",
        "incident": {
            "incident_id": number, "state": state, "policy_name": "mlspec demand: accuracy", "condition_name": "above 0.2",
            "policy_user_labels": {"mlspec-forecast": forecast, "mlspec-action": "rollback"}, "summary": "it is bad",
        },
    }  # fmt: skip


def said(forecast: str = "demand", event: str = "threshold-broken") -> dict[str, Any]:
    """What a DAG publishes."""
    return {
        "version": 1,
        "forecast": forecast,
        "event": event,
        "about": "",
        "release": "0123",
        "run": "2026-01-05T00:00:00Z",
    }


LOOP = "/v2/projects/acme-prod/locations/europe-west1/jobs/mlspec-reconcile:run"
WORDS = ["reconcile", "--once", "--yes", "--lock-timeout", "10m", "--target", "prod", "--select", "demand"]


@pytest.mark.parametrize("message", [incident(), said(), said(event="task-failed")])
def test_an_alert_is_answered_and_makes_the_loop_look_at_its_forecast(
    function: FlaskClient, cloud_run: Any, answers: list[Any], message: object
) -> None:
    assert function.post("/", data=push(message)).status_code == 204
    assert answers == [(GcpLocation("prod", "acme-prod", "europe-west1"), "demand")]
    assert cloud_run.asked == [(LOOP, WORDS)]


def test_an_alert_that_cannot_be_answered_wakes_the_loop_all_the_same(
    function: FlaskClient, cloud_run: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(_place: GcpLocation, _forecast: str) -> PassResult:
        raise KeyError("a secret that nobody may read")

    monkeypatch.setattr("mlspec.cli.redeploy.redeploy", defect)
    assert function.post("/", data=push(said())).status_code == 204
    assert cloud_run.asked == [(LOOP, WORDS)]
    first, *_ = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["severity"], first["mlspec"]["error"]) == ("ERROR", "KeyError")
    assert "secret" not in json.dumps(first)


@pytest.mark.parametrize("message", [incident(), said()])
def test_the_loop_is_started_once_an_incident_however_often_its_message_comes(
    function: FlaskClient, cloud_run: Any, answers: list[Any], message: dict[str, Any]
) -> None:
    for _ in range(3):
        assert function.post("/", data=push(message)).status_code == 204
    assert cloud_run.asked == [(LOOP, WORDS)]
    assert len(answers) == 3  # what serves is judged anew each time, by the record


def test_monitoring_may_repeat_an_incident_in_other_words(function: FlaskClient, cloud_run: Any) -> None:
    again = incident()
    again["incident"]["summary"] = "it is worse"
    for message in (incident(), again):
        assert function.post("/", data=push(message)).status_code == 204
    assert cloud_run.asked == [(LOOP, WORDS)]


def test_another_incident_another_run_and_another_forecast_start_the_loop_again(
    function: FlaskClient, cloud_run: Any
) -> None:
    later = {**said(), "run": "2026-01-12T00:00:00Z"}
    messages = [
        incident(),
        incident(number="0.abd"),
        incident(forecast="returns"),
        said(),
        later,
        said(event="task-failed"),
    ]
    for message in messages:
        assert function.post("/", data=push(message)).status_code == 204
    assert len(cloud_run.asked) == len(messages)


def test_an_incident_without_a_number_is_known_by_its_words(function: FlaskClient, cloud_run: Any) -> None:
    unnamed, other = incident(number=""), incident(number="")
    other["incident"]["condition_name"] = "above 0.3"
    for message in (unnamed, other, unnamed):
        assert function.post("/", data=push(message)).status_code == 204
    assert len(cloud_run.asked) == 2


def test_a_start_that_failed_is_tried_again_by_the_next_delivery(function: FlaskClient, cloud_run: Any) -> None:
    cloud_run.status = 503
    assert function.post("/", data=push(incident())).status_code == 500
    cloud_run.status = 200
    assert [function.post("/", data=push(incident())).status_code for _ in range(2)] == [204, 204]
    assert cloud_run.asked == [(LOOP, WORDS)] * 2


def test_while_one_instance_starts_the_loop_the_others_wait(
    function: FlaskClient, cloud_run: Any, marks: Marks
) -> None:
    """The instance that claimed the start ended before it was done with it."""
    cloud_run.status = 503
    marks.deletes = False  # as where it ended before it could give the claim back
    assert function.post("/", data=push(incident())).status_code == 500
    cloud_run.status, before = 200, list(cloud_run.asked)
    assert function.post("/", data=push(incident())).status_code == 503
    assert cloud_run.asked == before
    marks.now += CLAIM
    assert function.post("/", data=push(incident())).status_code == 204
    assert cloud_run.asked == [*before, (LOOP, WORDS)]


@pytest.mark.parametrize("broken", ["reads", "writes"])
def test_a_memory_that_cannot_be_used_starts_the_loop_rather_than_not(
    function: FlaskClient, cloud_run: Any, marks: Marks, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    setattr(marks, broken, False)
    for _ in range(2):
        assert function.post("/", data=push(incident())).status_code == 204
    assert cloud_run.asked == [(LOOP, WORDS)] * 2
    assert "the memory of alerts cannot be read" in capsys.readouterr().out


def test_a_start_that_could_not_be_remembered_is_one_too_many_at_most(
    function: FlaskClient, cloud_run: Any, marks: Marks, capsys: pytest.CaptureFixture[str]
) -> None:
    marks.writes_left = 1  # the claim, and not what confirms it
    assert function.post("/", data=push(incident())).status_code == 204
    assert "the memory of alerts cannot be written" in capsys.readouterr().out
    marks.writes_left = None
    assert function.post("/", data=push(incident())).status_code == 503
    marks.now += CLAIM
    assert [function.post("/", data=push(incident())).status_code for _ in range(2)] == [204, 204]
    assert cloud_run.asked == [(LOOP, WORDS)] * 2


def test_of_many_instances_at_once_one_starts_the_loop(function: FlaskClient, cloud_run: Any, marks: Marks) -> None:
    marks.crowd = threading.Barrier(6)  # all read before the first of them writes
    with ThreadPoolExecutor(6) as crowd:
        codes = [
            future.result()
            for future in [
                crowd.submit(lambda: function.application.test_client().post("/", data=push(incident())).status_code)
                for _ in range(6)
            ]
        ]
    assert sorted(codes) == [204, 503, 503, 503, 503, 503]
    assert cloud_run.asked == [(LOOP, WORDS)]
    marks.crowd = None
    assert function.post("/", data=push(incident())).status_code == 204
    assert cloud_run.asked == [(LOOP, WORDS)]


@pytest.mark.parametrize("name", ["new", "modified"])
def test_a_forecast_named_as_a_selector_is_looked_at_with_all_others(
    function: FlaskClient, cloud_run: Any, name: str
) -> None:
    assert function.post("/", data=push(incident(forecast=name))).status_code == 204
    assert cloud_run.asked == [(LOOP, WORDS[:7])]


@pytest.mark.parametrize("message", [incident("closed"), said(event="resolved"), said(event="gate-closed")])
def test_what_is_over_wakes_nobody(function: FlaskClient, cloud_run: Any, answers: list[Any], message: object) -> None:
    assert function.post("/", data=push(message)).status_code == 204
    assert cloud_run.asked == answers == []


def test_where_the_loop_cannot_be_started_pubsub_delivers_again(
    function: FlaskClient, cloud_run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud_run.status = 503
    assert function.post("/", data=push(incident())).status_code == 500
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["severity"] == "ERROR"


JUNK: list[bytes] = [
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"message": null}', b'{"message": {"data": 7}}',
    b'{"message": {"data": "%%%"}}', push(None), push([]), push("x"), push({}), push({"incident": []}), push({"incident": {}}),
    push({"incident": {"state": "open"}}), push({"forecast": "demand"}), push({"forecast": 7, "event": "x"}), push(None, b"\xff"),
    push(said(event="Robert'); DROP")), push(said(event="")), b"x" * 400_000,
]  # fmt: skip


@pytest.mark.parametrize("body", JUNK)
def test_junk_is_acknowledged_logged_and_acted_on_by_nobody(
    function: FlaskClient, cloud_run: Any, answers: list[Any], capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    assert function.post("/", data=body).status_code == 204
    assert cloud_run.asked == answers == []
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["severity"] == "WARNING"


@pytest.mark.parametrize(
    "name", ["--yes", "demand --yes", "../x", "Demand", "demand\n--yes", "a" * 41, "démand", "$(id)", "", "{{x}}"]
)
def test_a_name_that_no_forecast_has_reaches_no_command_and_no_log(
    function: FlaskClient, cloud_run: Any, answers: list[Any], capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for message in (incident(forecast=name), said(forecast=name)):
        assert function.post("/", data=push(message)).status_code == 204
    assert cloud_run.asked == answers == []
    logged = capsys.readouterr().out
    assert not name or name not in logged


def test_a_line_of_the_log_and_its_end_are_one_write_so_that_lines_of_two_messages_stay_two(
    function: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(write=written.append, flush=lambda: None))
    function.post("/", data=push({}, b"\xff"), content_type="application/json")
    assert [json.loads(line)["severity"] for line in written] == ["WARNING"]
    assert all(line.endswith("\n") for line in written)


def test_the_archive_is_the_source_and_the_same_bytes_every_time(tmp_path: Path) -> None:
    archives: list[bytes] = []
    pack: Callable[[str], Any] = lambda name: subprocess.run(  # noqa: E731
        [ROOT / "scripts" / "function-archive", tmp_path / name], check=True, capture_output=True, cwd=ROOT
    )
    for name in ("a.zip", "b.zip"):
        pack(name)
        archives.append((tmp_path / name).read_bytes())
    assert archives[0] == archives[1]


def test_the_archive_is_all_that_the_function_imports_of_ours_and_names_all_that_it_needs(tmp_path: Path) -> None:
    archive = tmp_path / "redeploy.zip"
    subprocess.run([ROOT / "scripts" / "function-archive", archive], check=True, capture_output=True, cwd=ROOT)
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "source")
    code = (
        "import sys; sys.path.insert(0, '.'); import main, mlspec.cli.redeploy as r; print(main.__file__, r.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tmp_path / "source", capture_output=True, text=True, check=True
    )
    assert all(Path(place).is_relative_to(tmp_path / "source") for place in done.stdout.split())
    needs = (tmp_path / "source" / "requirements.txt").read_text()
    named = set(re.findall(r"^([\w-]+)==", needs, re.MULTILINE))
    # Google's own buildpacks (cmd/python/functions_framework) find the framework so, and else install one of their choice.
    assert re.search(r"^functions-framework\b([^-]|$)", needs, re.MULTILINE)
    assert {
        "functions-framework",
        "pydantic",
        "google-cloud-aiplatform",
        "google-cloud-storage",
        "google-cloud-run",
    } <= named
    assert not named & {"pandas", "scikit-learn", "mlforecast"}
