"""A signal to stop is raised, also where a compiled module would make an ImportError of it, or Python ignores it."""

from __future__ import annotations

import _imp
import ctypes
import gzip
import importlib
import io
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, PlainSerializer, SerializeAsAny, TypeAdapter

from mlspec import stop_signals
from mlspec.cli import commands
from mlspec.cli.main import COMMANDS
from mlspec.cli.main import run as mlspec
from mlspec.errors import Exit, Terminated
from mlspec.forecast.reading import csv_file
from mlspec.forecast.reading.budget import RowBudget
from mlspec.forecast.reading.dialect import Dialect
from tests.waiting import until

DAG_TEMPLATE = Path(__file__).parent.parent / "templates" / "airflow" / "dag.py.j2"

# Signals are handled while these go on.
SENDS = """
import os, signal
os.kill(os.getpid(), signal.{name})
for _ in range(100):
    pass
"""

# numpy's compiled modules import modules in Python while they are initialised. The first such import gets the signal.
REAL = """
import os, signal, sys
from importlib.machinery import ExtensionFileLoader
from mlspec import stop_signals
from mlspec.errors import Terminated
from mlspec.stop_signals import handle_signal
from tests.waiting import until

class Sender:
    initialised = None

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        frame = sys._getframe()
        while frame and cls.initialised is None:
            if isinstance(frame.f_locals.get("self"), ExtensionFileLoader):
                cls.initialised = frame.f_locals["self"].name
                os.kill(os.getpid(), signal.SIGTERM)
            frame = frame.f_back

stop_signals.LONGEST_WAIT = 60.0  # however long this machine takes
handle_signal(signal.SIGTERM)
sys.meta_path.insert(0, Sender)
try:
    import numpy
    until(lambda: False)
except Terminated:
    print(Sender.initialised, Sender.initialised in sys.modules)
"""


@pytest.fixture(params=["SIGTERM", "SIGINT"])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal that is handled as a command handles it."""
    found = signal.Signals[request.param]
    before = stop_signals.handle_signal(found)
    yield found
    signal.signal(found, before)


def initialise(signals: list[signal.Signals], module: ModuleType) -> None:
    """Receive signals as modules made with pybind11 do: whatever comes up while they are initialised is an ImportError."""
    try:
        for each in signals:
            exec(SENDS.format(name=each.name))
    except BaseException as error:
        raise ImportError("initialization failed") from error
    module.initialised = True  # type: ignore[attr-defined]


@pytest.fixture(params=["create_dynamic", "exec_dynamic"])
def compiled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """Imports a compiled module that is sent signals while it is initialised, in either of the two ways (PEP 489).

    Only the module's own code is made up.
    """

    def load(*signals: signal.Signals) -> ModuleType:
        module = ModuleType("compiled")
        loader = ExtensionFileLoader("compiled", "compiled.so")
        with monkeypatch.context() as patch:
            patch.setattr(_imp, request.param, lambda _: initialise(list(signals), module))
            if request.param == "exec_dynamic":
                loader.exec_module(module)
            else:
                loader.create_module(ModuleSpec("compiled", loader))
        return module

    return load


def stopped_by(number: signal.Signals) -> type[BaseException]:
    return Terminated if number == signal.SIGTERM else KeyboardInterrupt


def wait_for_signal() -> None:
    until(lambda: False)


class Referent:
    """What a weak reference is to."""


def run_callback(act: Callable[[], object]) -> None:
    """Do something in the callback of a weak reference: Python ignores what is raised in it."""
    referent = Referent()
    reference = weakref.ref(referent, lambda _: act())
    del referent
    assert reference() is None


def system_handler(number: signal.Signals) -> bytes:
    """The address of the function that handles a signal: the first field of POSIX's `struct sigaction`."""
    action = ctypes.create_string_buffer(256)
    assert ctypes.CDLL(None).sigaction(number.value, None, action) == 0
    return action.raw[: ctypes.sizeof(ctypes.c_void_p)]


def raise_error(error: type[BaseException]) -> None:
    raise error


def test_a_signal_is_raised_at_once(number: signal.Signals) -> None:
    with pytest.raises(stopped_by(number)):
        os.kill(os.getpid(), number)


def test_a_signal_is_raised_at_once_while_a_module_in_python_is_imported(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in_python.py").write_text(SENDS.format(name=number.name))
    monkeypatch.syspath_prepend(tmp_path)
    imported = []
    with pytest.raises(stopped_by(number)):  # noqa: PT012  (a signal that waited would come in the second)
        imported.append(importlib.import_module("in_python"))
        wait_for_signal()
    assert imported == []


def test_a_signal_while_a_compiled_module_is_initialised_is_raised_after_it(
    number: signal.Signals, compiled: Callable[..., ModuleType]
) -> None:
    modules = []
    with pytest.raises(stopped_by(number)):  # noqa: PT012  (the signal comes in one of the two)
        modules.append(compiled(number))
        wait_for_signal()
    assert [module.initialised for module in modules] == [True]


def test_a_real_compiled_module_is_initialised_whole_before_the_signal_is_raised() -> None:
    done = subprocess.run([sys.executable, "-c", REAL], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    name, whole = done.stdout.split()
    assert name.startswith("numpy.")
    assert whole == "True"


def test_a_signal_while_a_class_is_made_is_raised_after_it(number: signal.Signals) -> None:
    class Descriptor:
        def __set_name__(self, owner: type, name: str) -> None:
            os.kill(os.getpid(), number)

    with pytest.raises(stopped_by(number)):  # noqa: PT012  (the signal comes in one of the two)
        type("Owner", (), {"named": Descriptor()})
        wait_for_signal()


@pytest.mark.parametrize(
    "serialise", [BaseModel.model_dump, BaseModel.model_dump_json, TypeAdapter(SerializeAsAny[BaseModel]).dump_python]
)
def test_a_signal_while_pydantic_serialises_is_raised_after_it(
    number: signal.Signals, serialise: Callable[[BaseModel], object]
) -> None:
    """What is raised for one member of a union is dropped, and the next one is tried."""

    def send(value: int) -> int:
        os.kill(os.getpid(), number)
        return value

    class Model(BaseModel):
        value: Annotated[int, PlainSerializer(send)] | str

    with pytest.raises(stopped_by(number)):  # noqa: PT012  (the signal comes in one of the two)
        serialise(Model(value=1))
        wait_for_signal()


@pytest.mark.parametrize("times", [1, 2])
def test_a_signal_whose_exception_python_ignores_is_raised_after_that(
    number: signal.Signals, times: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(stopped_by(number)):  # noqa: PT012  (the signal comes in the second)
        for _ in range(times):
            run_callback(partial(os.kill, os.getpid(), number))
        wait_for_signal()
    assert capsys.readouterr().err == ""


def test_arrow_takes_no_signal_for_itself_while_it_reads_a_file(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's own record of who handles a signal says so, at any speed."""
    file, rows, seen = tmp_path / "sales.csv.gz", b"day,units\n2024-01-01,5\n", set()
    file.write_bytes(gzip.compress(rows))  # what is packed is read through a stream of Python

    class Stream(io.BytesIO):
        def read(self, *size: Any) -> bytes:
            seen.add(system_handler(number))
            return super().read(*size)

    opened = csv_file.open_csv(file, None, Dialect(), RowBudget("the test", None))
    monkeypatch.setattr(csv_file, "open_bytes", lambda *_: Stream(rows))
    assert opened.read(["units"], {}).rows.tolist() == [2]
    assert seen == {system_handler(number)}


def test_other_exceptions_that_python_ignores_are_still_said(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    monkeypatch.setattr(sys, "unraisablehook", lambda ignored: said.append(ignored.exc_type))
    stop_signals._watch_ignored_exceptions.__wrapped__()
    signal.signal(number, signal.SIG_IGN)  # by a program that called mlspec before
    for error in (ValueError, stopped_by(number)):
        run_callback(partial(raise_error, error))
    assert said == [ValueError, stopped_by(number)]


def test_a_signal_that_counts_once_counts_when_its_exception_is_not_ignored(number: signal.Signals) -> None:
    stop_signals.handle_signal(number, once=True)
    try:
        with pytest.raises(stopped_by(number)):  # noqa: PT012  (the signal comes in the second)
            run_callback(partial(os.kill, os.getpid(), number))
            wait_for_signal()
        os.kill(os.getpid(), number)
    finally:
        stop_signals._forget_signals()


def test_a_compiled_module_that_takes_too_long_stops_nobody_from_ending(
    number: signal.Signals, compiled: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_signals, "LONGEST_WAIT", 0.0)
    with pytest.raises(ImportError) as failed:
        compiled(number)
    assert isinstance(failed.value.__cause__, stopped_by(number))


def test_the_longest_wait_leaves_time_before_airflow_kills_the_task() -> None:
    grace = re.search(r"GRACE_SECONDS = .*, (\d+)$", DAG_TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    assert grace is not None
    assert int(grace[1]) > stop_signals.LONGEST_WAIT


def test_a_signal_is_raised_once_however_often_it_came(
    number: signal.Signals, compiled: Callable[..., ModuleType]
) -> None:
    with pytest.raises(stopped_by(number)):  # noqa: PT012
        compiled(number, number)
        wait_for_signal()
    until(lambda: [each.name for each in threading.enumerate() if "_send_again" in each.name] == [])
    os.getpid()  # a signal that was sent again would be raised here at the latest


def test_a_process_that_is_forked_while_a_signal_waits_obeys_a_signal_of_its_own(
    number: signal.Signals, compiled: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(stop_signals._deadlines, number, float("inf"))
    monkeypatch.setattr(stop_signals, "_waiting", {number})

    def imports_and_waits() -> None:
        try:
            compiled(number)
            wait_for_signal()
        except stopped_by(number):
            os._exit(7)

    child = multiprocessing.get_context("fork").Process(target=imports_and_waits)
    child.start()
    child.join()
    assert child.exitcode == 7


def test_a_command_that_is_stopped_while_it_is_imported_says_so_and_no_defect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "waits.py").write_text(SENDS.format(name="SIGTERM"))
    monkeypatch.setattr(commands, "__path__", [*commands.__path__, str(tmp_path)])
    monkeypatch.setitem(COMMANDS, "waits", "Wait for a signal.")
    assert mlspec(["waits"]) == Exit.TERMINATED
    assert "stopped by SIGTERM" in capsys.readouterr().err
