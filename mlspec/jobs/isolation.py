"""Forecasts with a model file in a process of its own, so that a damaged file ends that process and nothing else.

The libraries that follow a model's trees are compiled code, which a wrong number can crash. `forecast.tree_text` refuses what it
knows of; this is the second line. The child is a fork of the step's process: it holds the panel already, and costs milliseconds.
The step has limited the libraries to one thread (`jobs.runtime`): threads that OpenMP keeps do not survive a fork, and a child that
uses several would wait for them. Its answer is Arrow's or JSON's form of plain values, so that nothing of it is run here.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from io import FileIO
from multiprocessing.connection import wait
from pathlib import Path
from typing import NoReturn, Protocol, runtime_checkable

import pandas as pd

from mlspec import errors
from mlspec.errors import BrokenModel, DamagedModel, Defect, MlspecError, with_subject
from mlspec.forecast.arrow_stream import from_arrow, to_arrow
from mlspec.forecast.artifact import ModelArtifact, load_model
from mlspec.forecast.stored_panel import PartedPanel, StoredPanel
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.spec.candidates import Custom

logger = logging.getLogger(__name__)
# Seconds of processor time: a forecast of 100,000 series takes some minutes, one in a circle of nodes never ends.
MOST_SECONDS = 3600
_MOST_WAIT = 2.0 * MOST_SECONDS
_SIGNAL_AT_END_OF_PARENT = 1  # PR_SET_PDEATHSIG of linux/prctl.h
_DONE, _FAILED, _NO_MEMORY, _DEFECT = b"d", b"f", b"m", b"x"


def forecast_from_file(file: Path, panel: PartedPanel, version: str, workers: Workers = THIS_PROCESS) -> pd.DataFrame:
    """Return the forecast of the model in `file`. `version` names it in messages, or is empty.

    Models that are estimated from the panel use all `workers`.

    Raises DamagedModel, with version and file, if the file cannot be trusted or ends the process that reads it. Raises BrokenModel,
    with the version, if a model of the project's own fails.
    """
    source = f"the model {version} ({file})" if version else f"the model ({file})"
    try:
        return forecast_apart(load_model(file.read_bytes()), panel, source, workers)
    except DamagedModel as error:
        message = error.message if source in error.message else f"{source}: {error.message}"
        raise DamagedModel(message, hint=error.hint) from error
    except BrokenModel as error:
        raise (with_subject(error, version) if version else error) from error


def forecast_apart(
    model: ModelArtifact, panel: PartedPanel, source: str, workers: Workers = THIS_PROCESS
) -> pd.DataFrame:
    """Return `model.forecast(panel)`. Models that are estimated from the panel, with no file to trust, are forecast by `workers`.

    So are models of the project's own, which have processes of their own, and trees of a panel in parts: each part by a process
    that reads them for itself.

    `source` names the version and the file, for messages. Raises DamagedModel if the process of the model ended before its
    forecast, or as `ModelArtifact.forecast` does.
    """
    if all(data is None or isinstance(member, Custom) for member, data in model.members):
        return model.forecast(panel, workers)
    if isinstance(panel, StoredPanel) and len(panel.readers) > 1 and isinstance(workers, IsolatingWorkers):
        return model.forecast(panel, workers.isolate(source, partial(_unusable, source)), load_by_share=True)
    return from_arrow(run_apart(lambda: to_arrow(model.forecast(panel)), source))


@runtime_checkable
class IsolatingWorkers(Workers, Protocol):
    """Workers that can forecast each share in a process of its own, also a single one."""

    def isolate(self, source: str, lost: Callable[[str], MlspecError]) -> Workers:
        """Return workers that do. `source` names what they read; `lost` is the error for a process that ends without an answer."""
        ...


@dataclass(frozen=True)
class ForkedWork:
    """Work in a forked process: its number, the pipe that its answer comes through, and the error for an end without an answer."""

    child: int
    answer: FileIO
    source: str
    lost: Callable[[str], MlspecError]

    def finish(self) -> bytes:
        """Wait for the result of the work. Raises its MlspecError; the error of `lost` if the process ended without one."""
        try:
            answer = self._read_answer()
        except BaseException:  # a signal to this process, or no answer: it does not wait for the child
            self.kill()
            raise
        status = os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])
        if status == 0 and answer[:1] == _DONE:
            return answer[1:]
        raise _failure(answer if status == 0 else b"", status, self)

    def _read_answer(self) -> bytes:
        """Return all that the process writes until it ends. Raises the error of `lost` if it waits for what never comes."""
        deadline, parts = time.monotonic() + _MOST_WAIT, list[bytes]()
        with self.answer:
            while wait([self.answer.fileno()], max(deadline - time.monotonic(), 0.0)):
                part = self.answer.read(2**20)
                if not part:
                    return b"".join(parts)
                parts.append(part)
        raise self.lost(f"had no answer after {_MOST_WAIT:,.0f} s")

    def kill(self) -> None:
        """End the process at once, if it has not ended."""
        with suppress(ProcessLookupError):
            os.kill(self.child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self.child, 0)
        self.answer.close()


def start_apart(work: Callable[[], bytes], source: str, lost: Callable[[str], MlspecError]) -> ForkedWork:
    """Begin `work` in a forked process. `source` names it in messages; `lost` makes the error if it ends without an answer."""
    child, forked = 0, None
    try:
        # A signal waits until the process is known, so that it leaves none behind, and no lock that is taken for a fork.
        mask, parent = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()), os.getpid()
        try:
            receiver, sender = os.pipe()
            with _stops_kept() as stops:
                child = _fork()
            if child == 0:
                os.close(receiver)
                _work_and_exit(work, sender, parent, mask)
            os.close(sender)
            forked = ForkedWork(child, FileIO(receiver), source, lost)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if stops:
            raise stops[0]  # noqa: TRY301  (as a signal that comes when the mask is lifted)
    except BaseException:
        if forked is not None:
            forked.kill()
        elif child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        raise
    return forked


def run_apart(work: Callable[[], bytes], source: str) -> bytes:
    """Return the result of `work`, done in a forked process. Raises its MlspecError; DamagedModel if it ended without one."""
    return start_apart(work, source, partial(_unusable, source)).finish()


@contextmanager
def _stops_kept() -> Iterator[list[BaseException]]:
    """Yield what a signal raises inside the block where Python would ignore it: in what other libraries let run at each fork."""
    stops: list[BaseException] = []
    before = sys.unraisablehook

    def keep(ignored: sys.UnraisableHookArgs) -> None:
        if ignored.exc_value is None or isinstance(ignored.exc_value, Exception):
            before(ignored)
        else:
            stops.append(ignored.exc_value)

    sys.unraisablehook = keep
    try:
        yield stops
    finally:
        sys.unraisablehook = before


def _fork() -> int:
    """Fork. Python 3.12 warns if there is another thread: here it is a test's, or one that renews a lease; both share no lock."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _work_and_exit(work: Callable[[], bytes], sender: int, parent: int, mask: set[int | signal.Signals]) -> NoReturn:
    """Do the work in the forked process, write the result, and end without the clean-up of the parent's libraries."""
    code = 1
    try:
        _end_with(parent)
        _prepare_child(mask)
        answer = _do_work(work)
        with open(sender, "wb") as stream:
            stream.write(answer)
        code = 0
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """Let this process end when its parent is killed, where the kernel can do that: it has the lock of the forecast open too.

    Elsewhere it ends when it writes its answer, and the lock is held until then.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SIGNAL_AT_END_OF_PARENT, signal.SIGKILL)
        if os.getppid() != parent:  # it was killed before the kernel knew
            os._exit(1)


def _prepare_child(mask: set[int | signal.Signals]) -> None:
    """Leave signals to the parent, write no core file with data in it, and silence what a crashing library prints."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    faulthandler = sys.modules.get("faulthandler")
    if faulthandler is not None:
        faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    spent, hard = int(sum(os.times()[:2])), resource.getrlimit(resource.RLIMIT_CPU)[1]
    most = spent + MOST_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    silence = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(silence, descriptor)


def _do_work(work: Callable[[], bytes]) -> bytes:
    try:
        return _DONE + work()
    except MlspecError as error:
        return _FAILED + json.dumps([type(error).__name__, error.message, error.hint]).encode()
    except MemoryError:
        return _NO_MEMORY
    except Exception as error:  # noqa: BLE001  (the parent raises it)
        import traceback

        return _DEFECT + json.dumps([f"{type(error).__name__}: {error}", traceback.format_exc()]).encode()


def _failure(answer: bytes, status: int, forked: ForkedWork) -> Exception:
    """Return the error for a process that did not give a result."""
    kind, said = answer[:1], answer[1:]
    if kind == _FAILED:
        name, message, hint = json.loads(said)
        return _rebuild_error(name, message, hint)
    if kind == _NO_MEMORY:
        return MemoryError()
    if kind == _DEFECT:
        words, trace = json.loads(said)
        logger.debug("%s: the forecast raised %s", forked.source, trace)
        return Defect(
            f"{forked.source}: the forecast raised {words}",
            hint="report it with `--log-level debug` and what that prints",
        )
    return forked.lost(f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with {status}")


def _unusable(source: str, how: str) -> DamagedModel:
    return DamagedModel(
        f"{source} cannot be used: the process that read it {how}",
        hint="restore the file from a backup, or serve an earlier version: mlspec rollback. Other versions are not affected",
    )


def _rebuild_error(name: str, message: str, hint: str | None) -> MlspecError:
    """Return an error of this class. MissingExtra has a constructor of its own, so that none is called."""
    kind: type[MlspecError] = getattr(errors, name)
    error = kind.__new__(kind, message)
    MlspecError.__init__(error, message, hint=hint)
    return error
