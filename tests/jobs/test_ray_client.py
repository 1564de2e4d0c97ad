"""A cluster that somebody else started, reached by Ray Client: `training.address: ray://…`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import ray

from mlspec.errors import TargetError
from mlspec.jobs.ray_cluster import STARTS, _check_python, connect_cluster
from mlspec.spec.forecast import Training
from tests.jobs.test_cluster import CANDIDATES, RAY, demand
from tests.processes import unmeasured
from tests.waiting import free_port, listens, until

pytestmark = pytest.mark.xdist_group("ray")
START = ("start", "--head", "--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats", "--block")
LONG = 120.0


def test_a_python_that_vertex_ai_does_not_run_is_refused_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    with pytest.raises(TargetError, match=r"runs Python 3\.11, and this process Python 3\.12"):
        _check_python("vertex_ray://projects/1/locations/r/persistentResources/c")
    _check_python("ray://head:10001")
    _check_python(None)
    monkeypatch.setattr(sys, "version_info", (3, 11, 9))
    _check_python("vertex_ray://projects/1/locations/r/persistentResources/c")


@contextmanager
def head() -> Iterator[str]:
    """A cluster of one machine, in processes of its own, and its address."""
    with tempfile.TemporaryDirectory(
        prefix="ray-", ignore_cleanup_errors=True
    ) as folder:  # its sockets take no long path
        started, port = next(filter(None, (started_in(Path(folder)) for _ in range(STARTS))), (None, 0))
        assert started, "ray start has ended each time"
        try:
            yield f"ray://127.0.0.1:{port}"
        finally:
            started.terminate()  # it stops what it started
            started.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)


def started_in(folder: Path) -> tuple[subprocess.Popen[bytes], int] | None:
    """Start Ray; return its process and its port for clients, or None where it ended: it gives its own processes 30 s to start."""
    port = free_port()
    own = (f"--port={free_port()}", f"--ray-client-server-port={port}", f"--temp-dir={folder}")
    started = subprocess.Popen(
        [Path(sys.executable).parent / "ray", *START, *own],
        cwd=folder, env={**unmeasured(), "RAY_AUTH_MODE": "disabled"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    until(lambda: started.poll() is not None or listens(port), LONG)
    return (started, port) if started.poll() is None else None


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with head() as found:
        yield found


def test_a_cluster_that_is_there_trains_as_workers_of_this_machine_do(
    address: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("project")
    far, near = demand(folder / "far", RAY | {"address": address}), demand(folder / "near", RAY)
    for each in (far, near):
        each.run("train", candidate=CANDIDATES[2])
    assert far.files["model"].read_bytes() == near.files["model"].read_bytes()


def test_a_cluster_with_another_ray_is_refused_with_both_versions(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ray.__version__
    monkeypatch.setattr(ray, "__version__", "2.47.1")
    training = Training.model_validate(RAY | {"address": address})
    with (
        pytest.raises(TargetError, match=f"Version mismatch: .* Ray: {there} .* Ray: 2.47.1"),
        connect_cluster(training),
    ):
        pass
