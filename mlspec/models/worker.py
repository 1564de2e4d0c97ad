"""What the process of a model of your own does: one call of one method, and nothing else.

`models.fork_server` forks it for `models.process`, with the libraries imported.

Its folder has the job, the history and the future; the answer, what was saved and where it stood when it ended are left there.
"""

from __future__ import annotations

import faulthandler
import importlib
import inspect
import json
import os
import random
import resource
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from mlspec.models import ModelContext

LARGEST_FILE = 4 * 2**30  # bytes that one file may have


def main(folder: str) -> None:
    """Do the job in a folder, write its answer, and end without waiting for threads of the model."""
    place = Path(folder)
    job: dict[str, Any] = json.loads((place / "job.json").read_text(encoding="utf-8"))
    with (place / "trace").open("w", encoding="utf-8") as trace:
        _end_with_parent()
        _set_limits(job["memory"])
        faulthandler.enable(trace)
        try:
            history, future = _read_table(place / "history.arrow"), _read_table(place / "future.arrow")
            # The time counts from here: libraries of mlspec's own are loaded.
            faulthandler.dump_traceback_later(job["seconds"], exit=True, file=trace)
            answer = _do_job(job, place, history, future)
        except BaseException as error:  # noqa: BLE001  (also SystemExit: the parent tells what the code did)
            answer = {"error": _describe_error(error)}
        faulthandler.cancel_dump_traceback_later()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    (place / "answer.json").write_text(json.dumps(answer), encoding="utf-8")
    os._exit(0)


def _end_with_parent() -> None:
    """End as soon as the parent does: it holds the other end of the standard input. The model's own standard input is empty."""
    lifeline = os.dup(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)

    def wait() -> None:
        os.read(lifeline, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _set_limits(memory: int) -> None:
    for name, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, LARGEST_FILE)):
        soft, hard = resource.getrlimit(name)
        _set_limit(name, most, soft, hard)
    if sys.platform == "linux":
        # The soft limit here is that of the step in which the server was started; `memory` is within this step's.
        _set_limit(resource.RLIMIT_DATA, memory, resource.getrlimit(resource.RLIMIT_DATA)[1])


def _set_limit(name: int, *bounds: int) -> None:
    """Set the soft limit to the least of some bounds, of which the last is the hard limit."""
    most = min(bound for bound in bounds if bound != resource.RLIM_INFINITY)
    resource.setrlimit(name, (most, bounds[-1]))


def _do_job(job: dict[str, Any], folder: Path, history: Any, future: Any) -> dict[str, Any]:
    sys.path[:] = [str(folder / "code"), *(entry for entry in sys.path if entry not in job["without"])]
    module_name, _, class_name = job["import"].partition(":")
    random.seed(job["context"]["seed"])
    _seed_numpy(job["context"]["seed"])
    kind: Any = importlib.import_module(module_name)
    for name in class_name.split("."):
        kind = getattr(kind, name)
    (folder / "origin").write_text(_top_of(kind), encoding="utf-8")
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(job["context"]["seed"])
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in job["context"].items()
    }
    context = ModelContext(**values)
    if job["action"] == "fit":
        model = kind(**job["params"])
        model.fit(history, future, context)
        (folder / "state").mkdir()
        model.save(folder / "state")
        return {}
    forecast = kind.load(folder / "state").predict(history, future, context)
    _write_table(forecast, folder / "forecast.arrow")
    return {}


def _top_of(kind: type) -> str:
    """Return the folder of the package that a class is in, or the file of its module, so that its lines are told from others'."""
    top = sys.modules[kind.__module__.partition(".")[0]]
    folders = list(getattr(top, "__path__", ()))
    return folders[0] if folders else inspect.getfile(kind)


def import_libraries() -> None:
    """Import what each call needs of libraries, by doing with an empty table what a call does with its own."""
    import numpy as np
    import pyarrow as pa

    table = pa.table({"ds": pa.array([], pa.timestamp("ns")), "y": np.array([], dtype="float64")})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.open_stream(sink.getvalue()) as reader:
        reader.read_pandas(use_threads=False)


def _seed_numpy(seed: int) -> None:
    import numpy as np

    np.random.seed(seed)  # what a model's code may use without knowing


def _read_table(file: Path) -> Any:
    import pyarrow as pa

    with pa.OSFile(str(file)) as source, pa.ipc.open_stream(source) as reader:
        return reader.read_pandas(use_threads=False)


def _write_table(forecast: object, file: Path) -> None:
    import pandas as pd
    import pyarrow as pa

    if not isinstance(forecast, pd.DataFrame):
        raise TypeError(f"predict returned {type(forecast).__name__}, and has to return a pandas DataFrame")
    table = pa.Table.from_pandas(forecast, preserve_index=False)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)


def _describe_error(error: BaseException) -> dict[str, Any]:
    frames = [[frame.filename, frame.lineno] for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append([error.filename, error.lineno])
    text = "it has too little memory" if isinstance(error, MemoryError) and not str(error) else str(error)
    trace = "".join(traceback.format_exception(error))
    return {"type": type(error).__name__, "message": text, "frames": frames, "trace": trace[-20_000:]}
