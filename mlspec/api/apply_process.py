"""Runs an apply in a process of its own, and gives back what it did.

Steps limit memory and threads of their process, and fork. A notebook has threads and data of its own, so nothing of that happens in
it. The process gets the request through its standard input, and answers with messages: progress, then a report or an error. It ends
in order once the process that started it is gone.
"""

from __future__ import annotations

import json
import logging
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import mlspec
from mlspec.api.applied import ApplyReport
from mlspec.errors import Defect, MlspecError, TargetError
from mlspec.memory import HINT
from mlspec.state.plan import Plan

logger = logging.getLogger(__name__)
# Called with the forecast, the step, how far it is (done, total; total 0: not known), and what is being done.
ProgressCallback = Callable[[str, str, int, int, str], None]
_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from mlspec.api import apply_worker; apply_worker.main()"
)


@dataclass(frozen=True)
class ApplyRequest:
    """What to apply, and what was approved. `plan` is what was reviewed, None if nothing was."""

    root: Path
    target: str
    select: tuple[str, ...]
    plan: Plan | None
    destroy: bool
    protected: bool
    lock_timeout: float


@dataclass(frozen=True)
class ApplyProgress:
    """A message of the process: how far a step is."""

    forecast: str
    step: str
    done: int
    total: int
    text: str


def run_apply(request: ApplyRequest, progress: ProgressCallback | None) -> ApplyReport:
    """Apply in a process of its own, and return its report. Raises its error; after a KeyboardInterrupt once it has ended."""
    path = [str(Path(mlspec.__file__).parents[1]), *(str(Path(entry).absolute()) for entry in sys.path if entry)]
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CODE, json.dumps(path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=printed, start_new_session=True,
        )  # fmt: skip
        try:
            with suppress(BrokenPipeError):  # the answer says why it has ended
                pickle.dump(request, cast("IO[bytes]", process.stdin))
                cast("IO[bytes]", process.stdin).flush()
            answer = _read_answer(process, progress)
        finally:
            _stop(process)
        if answer is None:
            raise _ended_early(process, printed)
    if isinstance(answer, MlspecError):
        raise answer
    return answer


def _read_answer(
    process: subprocess.Popen[bytes], progress: ProgressCallback | None
) -> ApplyReport | MlspecError | None:
    """Return the answer, None if there is none. What interrupts this process interrupts the apply, which then ends in order."""
    try:
        return _next_answer(process, progress)
    except BaseException as interrupt:
        process.send_signal(signal.SIGINT)
        answer = _next_answer(process, None)
        if isinstance(interrupt, KeyboardInterrupt) and isinstance(answer, MlspecError):
            raise answer from None  # what was done is recorded, and the caller has to know
        raise


def _next_answer(
    process: subprocess.Popen[bytes], progress: ProgressCallback | None
) -> ApplyReport | MlspecError | None:
    stream = cast("IO[bytes]", process.stdout)
    with suppress(EOFError):
        while True:
            message = pickle.load(stream)  # noqa: S301  (of the process that this one has started)
            if not isinstance(message, ApplyProgress):
                return cast("ApplyReport | MlspecError", message)
            if progress is not None:
                progress(message.forecast, message.step, message.done, message.total, message.text)
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process that has answered; end one that has not."""
    for stream in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            cast("IO[bytes]", stream).close()
    try:
        process.wait(10.0)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _ended_early(process: subprocess.Popen[bytes], printed: IO[bytes]) -> MlspecError:
    printed.seek(0)
    text = printed.read().decode(errors="replace")
    logger.debug("the process of the apply printed %s", text)
    if process.returncode < 0:
        return TargetError(
            f"the process of the apply was ended by {signal.Signals(-process.returncode).name}",
            hint=f"SIGKILL usually means that memory ran out: {HINT}; apply again to go on",
        )
    last = next((line for line in reversed(text.splitlines()) if line.strip()), f"exit code {process.returncode}")
    return Defect(f"the process of the apply ended without an answer: {last}", hint="report it; apply again to go on")
