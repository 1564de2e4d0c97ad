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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import functions_framework
import pytest
from flask.testing import FlaskClient
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2

from mlspec.engine.pass_result import PassResult
from mlspec.spec.gcp.location import GcpLocation

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
def function(cloud_run: Any, answers: list[Any], monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """The function in its framework; its client speaks to loopback."""
    assert answers == []
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


def incident(state: str = "open", forecast: str = "demand") -> dict[str, Any]:
    """An incident of Monitoring, as its documentation has it."""
    return {
        "version": "1.2",
        "incident": {
            "incident_id": "0.abc", "state": state, "policy_name": "mlspec demand: accuracy", "condition_name": "above 0.2",
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


def test_a_message_that_comes_twice_only_looks_twice(function: FlaskClient, cloud_run: Any) -> None:
    for _ in range(2):
        assert function.post("/", data=push(incident())).status_code == 204
    assert cloud_run.asked == [(LOOP, WORDS)] * 2


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
    named = {
        re.match(r"[\w-]+", line)[0] for line in (tmp_path / "source" / "requirements.txt").read_text().splitlines()
    }  # type: ignore[index]
    assert {
        "functions-framework",
        "pydantic",
        "google-cloud-aiplatform",
        "google-cloud-storage",
        "google-cloud-run",
    } <= named
    assert not named & {"pandas", "scikit-learn", "mlforecast"}
