"""Runs one method of a model of your own in a process of its own, with limits of time, memory and output.

The process has a copy of the model's code and nothing else of the project, a fixed hash seed, and one thread in numeric libraries.
Of this process's environment it has only what libraries need to find their files. So the same model gives the same bytes on every
machine. What it prints is logged. Whatever it does, it ends,
and the error says where its code stood.
"""

from __future__ import annotations

import contextvars
import json
import logging
import os
import re
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

import mlspec
from mlspec.errors import BrokenModel
from mlspec.memory import free_memory
from mlspec.models import ModelContext
from mlspec.models.code import ModelCode
from mlspec.models.fork_client import LostServer, ServerStart, run_call
from mlspec.temporary_folder import temporary_folder

logger = logging.getLogger(__name__)
MOST_STATE, MOST_STATE_FILES = 2**30, 10_000  # bytes and files that `save` may write
MOST_LINES, LONGEST_LINE = 500, 500  # of what one call prints
_GRACE = 60.0  # seconds beyond the model's own limit, to start and to write down where it stands; then it is killed
# What the process gets of this one's environment: where libraries, caches and certificates are, and how to reach a network.
_ENVIRONMENT = re.compile(
    r"PATH|HOME|LANG|TMPDIR|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH|XDG_CACHE_HOME|(HF|TRANSFORMERS|TORCH|CUDA|NVIDIA)_[A-Z_]+"
    r"|(?i:https?_proxy|no_proxy)|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE"
)
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|KEY")
_FIXED = {
    "PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "NIXTLA_ID_AS_COL": "1",
}  # fmt: skip
_FRAME = re.compile(r'^  File "(.*)", line ([0-9]+) in ', re.MULTILINE)
HINT = "correct the model, and try it: mlspec check-model"


@dataclass(frozen=True)
class ModelCall:
    """One call: `fit` learns and saves, `predict` loads `state` and forecasts. `history` and `future` are Arrow streams.

    `label` names the candidate in messages, and `seconds` is how long the call may take.
    """

    label: str
    code: ModelCode
    action: Literal["fit", "predict"]
    params: Mapping[str, Any]
    context: ModelContext
    seconds: float
    history: bytes
    future: bytes
    state: Mapping[str, bytes]


def fit_and_save(call: ModelCall) -> dict[str, bytes]:
    """Return the files that the fitted model saved, by path, sorted. Raises BrokenModel."""
    with temporary_folder() as made:
        folder = made.resolve()
        _run(call, folder)
        return _read_state(call, folder / "state")


def load_and_predict(call: ModelCall) -> bytes:
    """Return the forecast of the saved model, as an Arrow stream. Raises BrokenModel."""
    with temporary_folder() as made:
        folder = made.resolve()
        _run(call, folder)
        return (folder / "forecast.arrow").read_bytes()


def broken_model(call: ModelCall, why: str, place: str = "") -> BrokenModel:
    """Return the error of a model: the candidate, where its code stands, and why."""
    return BrokenModel(f"candidate '{call.label}': {place or call.code.describe_place(call.action)}: {why}", hint=HINT)


def _run(call: ModelCall, folder: Path) -> None:
    _write_job(call, folder)
    status = _wait_for(call, folder)
    answer = _read_answer(folder)
    if answer is None:
        raise _ended_early(call, folder, status)
    if "error" in answer:
        error = answer["error"]
        logger.debug("candidate '%s' raised %s", call.label, error["trace"])
        place = _place_in_code(folder, reversed(error["frames"]))
        message = " ".join(str(error["message"]).split())[:LONGEST_LINE]
        raise broken_model(call, f"{error['type']}: {message}" if message else str(error["type"]), place)


def _write_job(call: ModelCall, folder: Path) -> None:
    parts = {f"code/{path}": data for path, data in call.code.files.items()}
    parts |= {f"state/{path}": data for path, data in call.state.items()}
    parts |= {"history.arrow": call.history, "future.arrow": call.future}
    job = {
        "action": call.action, "import": call.code.import_name, "params": dict(call.params), "context": asdict(call.context),
        "seconds": call.seconds, "memory": _memory(), "without": [str(Path.cwd()), os.getcwd()],  # noqa: PTH109
    }  # fmt: skip
    parts["job.json"] = json.dumps(job).encode()
    (folder / "code").mkdir()
    for path, data in parts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def _memory() -> int:
    """Return the bytes that the process may use: what is free, within the bound of the step that this process runs."""
    bound = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return free_memory() if bound == resource.RLIM_INFINITY else min(free_memory(), bound)


def _wait_for(call: ModelCall, folder: Path) -> int | None:
    """Run the process to its end, log what it prints, and leave none of its own processes.

    Return its exit code; None if it had to be killed as it took too long.
    """
    path = (str(Path(mlspec.__file__).parents[1]), *(str(Path(entry).absolute()) for entry in sys.path if entry))
    with _open_lifeline() as lifeline, _logged_output(call.label) as output:
        try:
            return run_call(
                ServerStart(_environment(), path),
                folder,
                lifeline=lifeline,
                output=output,
                seconds=call.seconds + _GRACE,
            )
        except LostServer as error:
            raise broken_model(call, f"{call.action} ended the process that started it") from error


@contextmanager
def _open_lifeline() -> Iterator[int]:
    """Yield a descriptor whose other end is closed when the block is left, or when this process is killed."""
    reader, writer = os.pipe()
    try:
        yield reader
    finally:
        os.close(writer)
        os.close(reader)


@contextmanager
def _logged_output(label: str) -> Iterator[int]:
    """Yield a descriptor. What is written to it is logged, until nobody has it any more."""
    receiver, sender = os.pipe()
    context = contextvars.copy_context()
    reader = threading.Thread(target=context.run, args=(_log_output, os.fdopen(receiver, "rb"), label), daemon=True)
    reader.start()
    try:
        yield sender
    finally:
        os.close(sender)
        reader.join(5.0)


def _environment() -> dict[str, str]:
    own = {
        name: value
        for name, value in os.environ.items()
        if _ENVIRONMENT.fullmatch(name) and not _SECRET.search(name.upper())
    }
    return own | _FIXED


def _log_output(stream: IO[bytes], label: str) -> None:
    """Log what a model prints, line by line; beyond a limit it is read and dropped."""
    count = 0
    with stream:
        while line := stream.readline(1 << 16):
            count += 1
            text = line.decode(errors="replace").rstrip()
            if text and count <= MOST_LINES:
                logger.info("candidate '%s' printed: %s", label, text[:LONGEST_LINE])
    if count > MOST_LINES:
        logger.info("candidate '%s' printed %d more lines", label, count - MOST_LINES)


def _read_answer(folder: Path) -> dict[str, Any] | None:
    try:
        answer = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None


def _ended_early(call: ModelCall, folder: Path, status: int | None) -> BrokenModel:
    """Return the error of a process that gave no answer: it took too long, crashed, or ended itself."""
    trace = _read_trace(folder)
    place = _place_in_code(folder, _FRAME.findall(trace))
    if status is None or trace.startswith("Timeout"):
        return broken_model(call, f"{call.action} took longer than {call.seconds:g} s (timeout)", place)
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with exit code {status}"
    return broken_model(call, f"{call.action} ended its process {how}", place)


def _read_trace(folder: Path) -> str:
    try:
        with (folder / "trace").open(encoding="utf-8", errors="replace") as stream:
            return stream.read(1 << 20)
    except OSError:
        return ""


def _place_in_code(folder: Path, frames: Any) -> str:
    """Return FILE:LINE of the first of some frames, the innermost first, that is in the model's own code; empty if none is."""
    code, origin = folder / "code", _read_origin(folder)
    for name, line in frames:
        file = Path(name)
        if file.is_relative_to(code):
            return f"{file.relative_to(code).as_posix()}:{line}"
        if origin is not None and file.is_relative_to(origin):
            return f"{file.relative_to(origin.parent).as_posix()}:{line}"
    return ""


def _read_origin(folder: Path) -> Path | None:
    """Return the folder of the class's package, or the file of its module."""
    try:
        return Path((folder / "origin").read_text(encoding="utf-8"))
    except OSError:
        return None


def _read_state(call: ModelCall, folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size, place = 0, call.code.describe_place("save")
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise broken_model(call, f"save wrote '{name}', which is no plain file", place)
        if path.is_dir():
            continue
        size += path.stat().st_size
        if size > MOST_STATE or len(files) >= MOST_STATE_FILES:
            raise broken_model(
                call, f"save wrote more than {MOST_STATE // 2**30} GiB or {MOST_STATE_FILES:,} files", place
            )
        if not is_state_name(name):
            raise broken_model(
                call, f"save wrote a file of the name {name[:80]!r}; use letters, digits and . _ -", place
            )
        files[name] = path.read_bytes()
    return dict(sorted(files.items()))


_STATE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}){0,9}")


def is_state_name(name: str) -> bool:
    """Return whether a path below a saved folder is one that mlspec writes again: of plain names, and inside of it."""
    return _STATE_NAME.fullmatch(name) is not None
