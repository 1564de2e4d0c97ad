"""What the process does that fits trees by several threads. `jobs.tree_process` starts it."""

from __future__ import annotations

import json
import mmap
import os
import threading
import warnings
from typing import Any

import numpy as np

from mlspec.forecast.estimators import Array, TreeSettings, build_estimator
from mlspec.forecast.trees import dump_trees


def main(text: str) -> None:
    """Fit the trees of a job (JSON), and write their bytes to the standard output."""
    from mlspec.jobs.tree_process import NO_MEMORY

    job: dict[str, Any] = json.loads(text)
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no part of the answer
    _end_with_parent()
    try:
        settings = TreeSettings(**job["settings"])
        features, target = _read(job)
        model = build_estimator(settings, threads=job["threads"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the data contract reports a column without values
            model.fit(features, target)
        data = dump_trees(model, settings.library)
    except MemoryError:
        os._exit(NO_MEMORY)
    with answer:
        answer.write(data)
    os._exit(0)


def _end_with_parent() -> None:
    """End as soon as the parent does: it holds the other end of the standard input."""

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _read(job: dict[str, Any]) -> tuple[Array, Array]:
    """Return features and target without a copy: the file is their memory."""
    rows, columns = job["rows"], job["columns"]
    stored = mmap.mmap(job["file"], 0, prot=mmap.PROT_READ)
    kind, target_kind = map(np.dtype, job["types"])
    flat = np.frombuffer(stored, kind, rows * columns)
    target = np.frombuffer(stored, target_kind, rows, offset=flat.nbytes)
    return (flat.reshape(columns, rows).T if job["by_column"] else flat.reshape(rows, columns)), target
