"""A step whose container dies is told in the container's own words: in the message, in history and in status."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from google.cloud import run_v2
from google.cloud.logging_v2.types import LogEntry
from hypothesis import given
from hypothesis import strategies as st

from mlspec.spec.gcp.resource_names import derived_names
from mlspec.spec.secrecy import REDACTED
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.failure_log import JobEnd, last_lines, missing_result_error
from tests.gcp import platform
from tests.gcp.acme import IMAGE, Acme
from tests.gcp.standin.harness import Running

ONCE = ("reconcile", "--once", "--yes")
LIST = "google.logging.v2.LoggingServiceV2.ListLogEntries"
CONSOLE = "https://console.cloud.google.com/logs/query;query="
BUG = "raise ValueError('no column \\x1b[31m units')"
KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
FOREVER = "import signal; signal.pause()"
KEY = "AIza" + "Sy4x" * 9


@pytest.fixture
def far(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Acme:
    """Steps run as jobs of Cloud Run."""
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    return acme


def dies(acme: Acme, code: str) -> None:
    acme.standin.hook(".*", [sys.executable, "-c", code])


def backtest_dies(acme: Acme, code: str) -> None:
    acme.containers_run(before=f"import sys\nif 'backtest' in sys.argv:\n    print('starts', flush=True)\n    {code}")


def told(acme: Acme, capsys: pytest.CaptureFixture[str]) -> str:
    """What a pass that fails says."""
    capsys.readouterr()
    assert acme.run(*ONCE) != 0
    return capsys.readouterr().err


def kept(acme: Acme, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """What history and status say."""
    history: Any = acme.asked(capsys, "history", "demand")
    status: Any = acme.asked(capsys, "status", "demand")
    return json.dumps(history["events"]), json.dumps(status)


HERE, HEAVY = "", "{machine: n2-highmem-8}"


@pytest.mark.parametrize(
    ("training", "kind", "code", "reason", "line"),
    [
        (HERE, "cloud_run_job", BUG, "The container exited with an error", "ValueError: no column [31m units"),
        (HERE, "cloud_run_job", KILLED, "The configured memory limit was reached", "Memory limit of 512Mi exceeded."),
        (HEAVY, "ml_job", BUG, "exited with a non-zero status of 1", "ValueError: no column [31m units"),
        (HEAVY, "ml_job", KILLED, "ran out-of-memory", "newest first: starts"),
    ],
    ids=["a bug", "out of memory", "a bug of a custom job", "a custom job out of memory"],
)
def test_what_a_container_last_said_is_told_wherever_its_failure_is(
    far: Acme, capsys: pytest.CaptureFixture[str], training: str, kind: str, code: str, reason: str, line: str
) -> None:
    if training:
        far.say(training=training)
    backtest_dies(far, code)
    said = told(far, capsys)
    for text in (said, *kept(far, capsys)):
        assert "backtest ended without a result" in text
        assert reason in text
        assert line in text
    assert f"{CONSOLE}resource.type%3D%22{kind}%22" in said
    assert far.standin.counted()[LIST] == 1


def test_a_step_that_takes_longer_than_its_job_may_is_told_so(far: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    template = {"template": {"containers": [{"image": IMAGE}], "max_retries": 0, "timeout": {"seconds": 1}}}
    name = f"{platform.place(far.project)}/jobs/{derived_names('demand')['Cloud Run job']}"
    run_v2.JobsClient().update_job(job={"name": name, "template": template}).result()
    dies(far, FOREVER)
    said = told(far, capsys)
    for text in (said, *kept(far, capsys)):
        assert "The configured timeout was reached" in text
        assert "it has reached the maximum timeout of 1 seconds" in text


def test_what_looks_like_a_secret_is_blotted_out(far: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    dies(far, f"raise ValueError('{KEY}')")
    said = told(far, capsys)
    assert f"ValueError: {REDACTED}" in said
    assert not any(KEY in text for text in (said, *kept(far, capsys)))


def test_whoever_may_not_read_the_log_hears_the_reason_the_role_and_the_address(
    far: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    dies(far, BUG)
    far.standin.fault("ListLogEntries", code=403)
    said = told(far, capsys)
    assert "check ended without a result: Task" in said
    assert "ValueError" not in said
    assert "roles/logging.viewer" in said
    assert CONSOLE in said


def test_an_execution_that_cannot_be_looked_at_is_told_by_its_log(
    far: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    dies(far, BUG)
    far.standin.fault("GetExecution", code=404, count=2)
    said = told(far, capsys)
    assert "check ended without a result" in said
    assert "Task" not in said


def test_a_log_that_is_not_there_yet_is_told_with_its_address(standin: Running) -> None:
    clients = Clients(standin.project, platform.REGION)
    error = missing_result_error(clients, "demand: train", JobEnd('resource.type="ml_job"'))
    clients.close()
    assert error.message == "demand: train ended without a result"
    address = f"{CONSOLE}resource.type%3D%22ml_job%22?project={standin.project}"
    assert error.hint == f"its log has no entries yet; look later at {address}"


def test_the_lines_of_an_earlier_run_are_not_told(far: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    dies(far, "raise ValueError('first')")
    assert "ValueError: first" in told(far, capsys)
    dies(far, "raise ValueError('second')")
    assert far.run("resume", "demand") == 0
    said = told(far, capsys)
    assert "ValueError: second" in said
    assert "ValueError: first" not in said


def test_a_step_that_ends_well_costs_no_look_at_a_log(far: Acme) -> None:
    far.containers_run()
    assert far.run(*ONCE) == 0, far.standin.outputs()
    assert far.standin.counted()[LIST] == 0


def test_errors_come_before_all_else_and_the_newest_first() -> None:
    bye, hello = LogEntry(text_payload="bye"), LogEntry(severity="WARNING", text_payload="hello")
    failed = LogEntry(severity="CRITICAL", json_payload={"message": "Traceback:\n  line 7\nKeyError: x", "run": 1})
    before = LogEntry(severity="ERROR", text_payload="before")
    assert last_lines([bye, failed, before, hello]) == ["KeyError: x", "line 7", "Traceback:"]
    assert last_lines([bye, before, hello]) == ["before"]
    assert last_lines([bye, LogEntry(), hello]) == ["bye", "hello"]


@given(st.lists(st.tuples(st.sampled_from(["DEFAULT", "ERROR"]), st.text(max_size=1000)), max_size=9))
def test_what_is_told_is_short_and_printable_whatever_the_log_holds(said: list[tuple[str, str]]) -> None:
    found = last_lines([LogEntry(severity=level, text_payload=text) for level, text in said])
    assert len(found) <= 3
    assert all(line and line.isprintable() and len(line) <= 300 for line in found)


def test_an_empty_page_of_a_log_is_not_its_end() -> None:
    pages = [SimpleNamespace(entries=[]), SimpleNamespace(entries=[LogEntry(text_payload="the last line")])]
    asked = SimpleNamespace(list_log_entries=lambda **_: SimpleNamespace(pages=iter(pages)))
    clients: Any = SimpleNamespace(project="acme", logs=asked)
    assert (
        "its last log lines, newest first: the last line"
        in missing_result_error(clients, "train", JobEnd("a filter")).message
    )
