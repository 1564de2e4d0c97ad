"""A signal to stop is raised, and never in the middle of an import, where a library may take it for an error of its own."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlspec import stop_signals
from mlspec.cli import commands
from mlspec.cli.main import COMMANDS
from mlspec.cli.main import run as mlspec
from mlspec.errors import Exit, Terminated
from tests.waiting import until

# As pybind11's modules and many libraries do: whatever comes up while they are imported is an ImportError.
LIBRARY = """
import os, signal
try:
    os.kill(os.getpid(), signal.{name})
    for _ in range(100):
        pass
except BaseException as error:
    raise ImportError("initialization failed") from error
"""

WAITS = """
import click
from tests.test_stop_signals import wait_for_signal
command = click.Command("waits", callback=wait_for_signal)
"""


@pytest.fixture(params=["SIGTERM", "SIGINT"])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that is handled as a command handles it."""
    found = signal.Signals[request.param]
    before = signal.signal(found, stop_signals.raise_stop)
    yield found
    signal.signal(found, before)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> Iterator[str]:
    """The name of a library that the signal reaches while it is imported."""
    name = f"signalled_{number.name.lower()}"
    (tmp_path / f"{name}.py").write_text(LIBRARY.format(name=number.name))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def stopped_by(number: signal.Signals) -> type[BaseException]:
    return Terminated if number == signal.SIGTERM else KeyboardInterrupt


def wait_for_signal() -> None:
    until(lambda: False)


def test_a_signal_outside_of_an_import_is_raised_at_once(number: signal.Signals) -> None:
    with pytest.raises(stopped_by(number)):
        os.kill(os.getpid(), number)


def test_a_signal_in_the_middle_of_an_import_is_raised_after_it(number: signal.Signals, library: str) -> None:
    with pytest.raises(stopped_by(number)):  # noqa: PT012  (the signal comes in one of the two)
        importlib.import_module(library)
        assert library in sys.modules
        wait_for_signal()


def test_an_import_that_does_not_end_stops_nobody_from_ending(
    number: signal.Signals, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_signals, "LONGEST_IMPORT", 0.0)
    with pytest.raises(ImportError) as failed:
        importlib.import_module(library)
    assert isinstance(failed.value.__cause__, stopped_by(number))


def test_a_signal_is_raised_once_however_often_it_came_during_the_import(
    number: signal.Signals, tmp_path: Path, library: str
) -> None:
    text = (tmp_path / f"{library}.py").read_text()
    (tmp_path / f"{library}.py").write_text(text + text)
    with pytest.raises(stopped_by(number)):  # noqa: PT012
        importlib.import_module(library)
        wait_for_signal()
    until(lambda: [each.name for each in threading.enumerate() if "_send_again" in each.name] == [])
    os.getpid()  # a signal that was sent again would be raised here at the latest


def test_a_process_that_is_forked_while_a_signal_waits_obeys_a_signal_of_its_own(
    number: signal.Signals, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stop_signals._deadlines, number, float("inf"))
    monkeypatch.setattr(stop_signals, "_waiting", {number})

    def imports_and_waits() -> None:
        try:
            importlib.import_module(library)
            wait_for_signal()
        except stopped_by(number):
            os._exit(7)

    child = multiprocessing.get_context("fork").Process(target=imports_and_waits)
    child.start()
    child.join()
    assert child.exitcode == 7


def test_a_command_that_is_stopped_during_an_import_says_so_and_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "waits.py").write_text(LIBRARY.format(name="SIGTERM") + WAITS)
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.setitem(COMMANDS, "waits", "Wait for a signal.")
    assert mlspec(["waits"]) == Exit.TERMINATED
    assert "stopped by SIGTERM" in capsys.readouterr().err
    sys.modules.pop("mlspec.cli.commands.waits")
