"""Python in a fork of a process that has imported what mlspec needs: what stands for a container starts at once, not in seconds."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import connection, forkserver
from pathlib import Path

from mlspec.jobs import STEPS

# What steps import sooner or later. Nothing here starts a thread or opens a connection.
IMPORTED = (
    "tests.gcp.standin.standin", "mlspec.cli.main", "mlspec.cli.commands.step", "mlspec.cli.far_step", "mlspec.engine.kinds.gcp",
    "mlspec.targets.gcp.target", *(f"mlspec.jobs.{step}" for step in STEPS.values()), "mlforecast", "sklearn.ensemble",
    "statsforecast.models", "skops.io", "google.cloud.storage", "google.cloud.bigquery", "google.cloud.run_v2",
    "google.cloud.aiplatform_v1", "google.cloud.monitoring_v3",
)  # fmt: skip
_CONTEXT = multiprocessing.get_context("forkserver")
_LOCK = threading.Lock()  # an exit code is read once: whoever comes second would find none


class Fork:
    """A process that runs Python, as far as `subprocess.Popen` is needed of it here: the leader of a session of its own."""

    def __init__(
        self, code: str, words: Sequence[str], env: Mapping[str, str], cwd: Path, output: Path, errors: Path
    ) -> None:
        given = (code, list(words), dict(env), str(cwd), str(output), str(errors))
        self._process = _CONTEXT.Process(target=_run, args=given)
        with _LOCK:
            _begin(env)
            self._process.start()
        assert self._process.pid
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """Return how it ended: with a code, or by minus a signal; None while it runs."""
        with _LOCK:
            return self._process.exitcode

    def wait(self) -> int:
        """Wait until it has ended, and return how."""
        connection.wait([self._process.sentinel])
        code = self.poll()
        assert code is not None
        return code


def _begin(env: Mapping[str, str]) -> None:
    """Start the process to fork, in an environment that leads to the stand-in: some libraries read theirs once, when imported."""
    _CONTEXT.set_forkserver_preload(list(IMPORTED))
    own = dict(os.environ)
    os.environ |= env
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ |= own


def _run(code: str, words: list[str], env: dict[str, str], cwd: str, output: str, errors: str) -> None:
    os.setsid()
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_APPEND), (2, errors, os.O_APPEND)):
        os.dup2(os.open(path, how | (os.O_WRONLY if number else 0)), number)
    os.environ.clear()
    os.environ |= env
    os.chdir(cwd)
    sys.argv = ["-c", *words]
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
