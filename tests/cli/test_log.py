"""What a run logs: at which level, in which form, about which forecast, and never a secret."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from mlspec.cli import log_setup
from mlspec.cli import main as front
from mlspec.errors import StateError, TargetError
from mlspec.log_context import forecast_scope, hide_secret
from mlspec.targets.local.secrets import secret_value
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.webhook import WebhookSender
from tests.cli.test_plan_apply import quick
from tests.cli.test_session import Mlspec, mlspec
from tests.engine.steps import Steps
from tests.notify.receiver import LOOPBACK, receiving
from tests.notify.test_webhook import notice

__all__ = ["mlspec", "quick"]  # fixtures
WORD = "correct-horse-battery"
JOBS = {
    "a Cloud Run job": "CLOUD_RUN_JOB", "a service or function": "K_SERVICE", "a custom job": "CLOUD_ML_JOB_ID",
    "a server on Vertex AI": "AIP_HTTP_PORT",
}  # fmt: skip


def lines(text: str) -> list[dict[str, Any]]:
    """Return the records; every line has to be one."""
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def debug() -> Iterator[None]:
    """Everything is logged, as text."""
    log_setup.set_up("debug", "text")
    yield
    log_setup.take_down()


def test_a_person_reads_the_same_words_as_ever(mlspec: Mlspec) -> None:
    said = mlspec("status", "nobody")
    assert said.err == "error: there is no forecast 'nobody'\nhint: known: demand\n"


@pytest.mark.parametrize("variable", JOBS.values(), ids=JOBS)
def test_in_a_job_every_line_on_stderr_is_one_that_cloud_logging_reads(
    mlspec: Mlspec, quick: Steps, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "mlspec-reconcile")
    monkeypatch.setenv("CLOUD_RUN_EXECUTION", "mlspec-reconcile-x7k2p")
    found = lines(mlspec("reconcile", "--once").err)
    (made,) = [each for each in found if each["message"].startswith("ForecastMade: ")]
    assert (made["severity"], made["mlspec"]) == ("INFO", {"forecast": "demand"})
    assert made["logging.googleapis.com/labels"]["CLOUD_RUN_EXECUTION"] == "mlspec-reconcile-x7k2p"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["time"])
    assert {each["severity"] for each in found} == {"INFO"}


def test_a_failed_forecast_is_one_error_that_names_it(
    mlspec: Mlspec, quick: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick.fails = "backtest"
    monkeypatch.setenv("MLSPEC_LOG_FORMAT", "json")
    errors = [each for each in lines(mlspec("reconcile", "--once").err) if each["severity"] == "ERROR"]
    (error,) = errors
    assert error["message"] == "demand: backtest cannot be done"
    assert error["mlspec"] == {"forecast": "demand", "error": "ModelError", "hint": "try another"}


def test_a_failed_step_is_one_error_that_names_its_forecast_and_itself(
    mlspec: Mlspec, quick: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick.fails = "check"
    monkeypatch.setenv("CLOUD_RUN_JOB", "demand-step")
    said = mlspec("step", "check", "--spec", "specs/demand.yaml")
    (error,) = [each for each in lines(said.err) if each["severity"] == "ERROR"]
    assert {**error["mlspec"], "hint": ""} == {"forecast": "demand", "step": "check", "error": "ModelError", "hint": ""}


@pytest.mark.parametrize("words", [
    ("--log-level", "debug", "status", "nobody"), ("status", "--log-level", "debug", "nobody"),
    ("status", "nobody", "--log-level", "DEBUG"),
])  # fmt: skip
def test_at_debug_the_cause_of_an_error_is_shown_wherever_the_option_stands(
    mlspec: Mlspec, words: tuple[str, ...]
) -> None:
    said = mlspec(*words)
    assert said.code == 2
    assert said.err.startswith("error: there is no forecast 'nobody'")
    assert "Traceback (most recent call last)" in said.err
    assert "NotFound: there is no forecast 'nobody'" in said.err


def test_a_wrong_level_is_a_wrong_call(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mlspec("--log-level", "loud", "status").code == 2
    monkeypatch.setenv("MLSPEC_LOG_LEVEL", "loud")
    said = mlspec("status")
    assert said.code == 2
    assert "'loud' is not one of 'debug', 'info', 'warning', 'error'" in said.err


def test_a_wrong_call_and_a_defect_are_records_too(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSPEC_LOG_FORMAT", "json")
    (wrong,) = lines(mlspec("statsu").err)
    assert (wrong["severity"], wrong["message"]) == ("ERROR", "No such command 'statsu'. Did you mean 'status'?")

    def fail(*_words: object, **_more: object) -> None:
        raise ZeroDivisionError(hide_secret(WORD))

    monkeypatch.setattr(front.cli, "main", fail)
    (defect,) = lines(mlspec("plan").err)
    assert defect["message"].startswith("a defect of mlspec: ZeroDivisionError: [secret] (mlspec ")
    assert defect["stack_trace"].endswith("ZeroDivisionError: [secret]")


def test_a_run_leaves_logging_as_it_found_it(mlspec: Mlspec) -> None:
    root = logging.getLogger()
    before = (root.level, list(root.handlers), logging.getLogger("mlspec").level)
    mlspec("--log-level", "debug", "--log-format", "json", "status")
    assert (root.level, list(root.handlers), logging.getLogger("mlspec").level) == before


def test_a_record_names_the_scope_that_it_was_made_in_or_that_its_error_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_setup.set_up("info", "json")
    try:
        with forecast_scope("demand", "train"):
            logging.getLogger("mlspec.test").info("trains")
        with pytest.raises(StateError) as lost, forecast_scope("bikes"):
            raise StateError("lost")
        logging.getLogger("mlspec.test").error("failed", exc_info=lost.value)
    finally:
        log_setup.take_down()
    assert [each["mlspec"] for each in lines(capsys.readouterr().err)] == [
        {"forecast": "demand", "step": "train"}, {"forecast": "bikes"},
    ]  # fmt: skip


@pytest.mark.usefixtures("debug")
def test_a_secret_is_blotted_in_a_message_in_a_traceback_and_in_each_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(
        "MLSPEC_SECRET_ONCALL", f"https://user:p4ssw0rd!@chat.example.com/{WORD}?to=x#whsec_c2VjcmV0LWtleQ=="
    )
    value = secret_value(tmp_path, "oncall")
    logger = logging.getLogger("mlspec.test")
    with pytest.raises(TargetError) as failed:
        raise TargetError(f"/{WORD}?to=x is not there") from OSError(f"cannot open {value}")
    logger.debug("failed for %s: %r", value, {"to": value}, exc_info=failed.value)
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "OSError: cannot open [secret]" in said
    assert "TargetError: [secret] is not there" in said
    for part in (WORD, "p4ssw0rd", "whsec_"):
        assert part not in said


@pytest.mark.usefixtures("debug")
def test_a_librarys_own_records_show_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    with receiving((500, {})) as receiver:
        hide_secret(receiver.url)
        urllib3.PoolManager().request("POST", receiver.url, headers={"authorization": "Bearer abcdefghijklmnop1234"})
    logging.getLogger("google.auth").debug("sent %s", {"Authorization": "Bearer ya29.a0AfH6SMBx_1234567890abcdefghijk"})
    logging.getLogger("httpcore").debug("GET https://storage.example.com/o?X-Goog-Signature=0a1b2c3d4e5f60718293")
    said = capsys.readouterr().err
    assert "urllib3.connectionpool" in said
    assert "cafe-secret" not in said
    assert "ya29." not in said
    assert "0a1b2c3d4e5f60718293" not in said


@pytest.mark.usefixtures("debug")
def test_a_webhook_that_does_not_answer_tells_nobody_its_address(capsys: pytest.CaptureFixture[str]) -> None:
    with receiving(None) as receiver, pytest.raises(DeliveryError) as failed:
        WebhookSender(receiver.url, lambda: "2026-01-05T00:00:00Z", LOOPBACK).send_notice(notice())
    logging.getLogger("mlspec.test").debug("not told", exc_info=failed.value)
    said = capsys.readouterr().err
    assert "ProtocolError" in said
    assert "cafe-secret" not in said


@pytest.mark.parametrize("name", ["PGPASSWORD", "SLACK_TOKEN", "MY_API_KEY"])
def test_secrets_of_the_environment_are_known_from_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(name, f"{WORD}-{name}")
    log_setup.set_up("info", "json")
    try:
        logging.getLogger("psycopg").warning('connection failed: password "%s" is wrong', f"{WORD}-{name}")
    finally:
        log_setup.take_down()
    (line,) = lines(capsys.readouterr().err)
    assert line["message"] == 'connection failed: password "[secret]" is wrong'


@pytest.mark.usefixtures("debug")
def test_a_record_that_cannot_be_written_shows_no_argument(capsys: pytest.CaptureFixture[str]) -> None:
    (handler,) = [each for each in logging.getLogger().handlers if isinstance(each, log_setup.StderrHandler)]
    handler.handle(logging.LogRecord("mlspec.test", logging.INFO, __file__, 1, "%d", ("hidden",), None))
    assert capsys.readouterr().err == "a log record of mlspec.test could not be written\n"


@pytest.mark.usefixtures("debug")
def test_text_of_a_record_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("mlspec.test").info("a\x1b[2Jb")
    assert capsys.readouterr().err.endswith("mlspec.test: a\\x1b[2Jb\n")


def test_what_ends_a_thread_is_logged_without_secrets(debug: None, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise KeyError(hide_secret(WORD))

    log_setup.set_up(
        "debug", "text"
    )  # an older pytest puts a hook of its own in place of the one that the fixture has set
    thread = threading.Thread(target=fail, name="lease demand")
    thread.start()
    thread.join()
    said = capsys.readouterr().err
    assert "a defect of mlspec ended lease demand: KeyError" in said
    assert "Traceback" in said
    assert WORD not in said
