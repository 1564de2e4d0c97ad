"""Readers stop reading, and disks are full: the work is done all the same, and the exit code tells."""

from __future__ import annotations

import errno
import io
import os
import sys
import warnings

import pytest

from mlspec.cli import main as front
from mlspec.cli.commands import status
from mlspec.cli.streams import StandardStream
from mlspec.errors import Exit
from tests.cli.test_plan_apply import quick
from tests.cli.test_session import Mlspec, mlspec
from tests.engine.steps import Steps

__all__ = ["mlspec", "quick"]  # fixtures
CLOSED, FULL = BrokenPipeError(errno.EPIPE, "Broken pipe"), OSError(errno.ENOSPC, "No space left on device")


class Unwritable(io.StringIO):
    """A stream on which nothing can be written."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize("error", [CLOSED, FULL], ids=["closed", "full"])
def test_an_apply_whose_progress_cannot_be_written_applies(
    mlspec: Mlspec, quick: Steps, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    monkeypatch.setattr(sys, "stderr", Unwritable(error))
    assert front.run(["apply"]) == Exit.DONE
    assert mlspec("status", "--check").code == Exit.DONE


def test_a_reader_that_has_gone_stops_no_work_and_hides_no_exit_code(
    mlspec: Mlspec, quick: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick.fails = "backtest"
    for codes in ((Exit.NOT_WELL, Exit.PARTIAL), (Exit.DONE, Exit.DONE)):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", Unwritable(CLOSED))
            applied = front.run(["apply"])
            assert (front.run(["status", "--check"]), applied) == codes
        quick.fails = None


def test_a_result_that_finds_no_room_is_an_error(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", Unwritable(FULL))
        patched.setattr(sys, "stderr", io.StringIO())
        assert front.run(["validate"]) == Exit.FAILED
        assert sys.stderr.getvalue().startswith("error: the output could not be written: No space left on device\n")


def test_a_watch_ends_when_its_reader_has_gone(mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status.time, "sleep", lambda _seconds: pytest.fail("it looks again for nobody"))
    monkeypatch.setattr(sys, "stdout", Unwritable(CLOSED))
    assert front.run(["status", "--watch"]) == Exit.DONE


def test_what_a_closed_pipe_did_not_take_is_written_nowhere_later() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        stream = StandardStream(pipe)
        stream.write("words")
        stream.flush()
        assert isinstance(stream.failure, BrokenPipeError)
        stream.write("more")
        stream.flush()  # closing the pipe flushes its own buffer once more, which raises nothing


def test_a_character_that_the_terminal_lacks_is_shown_by_its_number(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr(status, "as_text", lambda *_args, **_options: "São Paulo …")
    assert front.run(["status"]) == Exit.DONE
    narrow.flush()
    assert narrow.buffer.getvalue().decode("latin-1").startswith("São Paulo \\u2026\n")  # type: ignore[attr-defined]


def test_a_warning_of_python_code_is_for_who_debugs(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def warn(*_args: object, **_options: object) -> str:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("Found null values in price_lag1.", UserWarning, stacklevel=1)
        return "a state"

    monkeypatch.setattr(status, "as_text", warn)
    assert mlspec("status").err == ""
    assert "price_lag1" in mlspec("--log-level", "debug", "status").err
