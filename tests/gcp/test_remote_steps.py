"""Steps as executions of a job on Cloud Run: begun once, whatever becomes of the loop that began them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mlspec.errors import TargetError
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.cloud_run import JobExecutions, RecentExecutions
from mlspec.targets.gcp.record import lease
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.standin.harness import ROOT, Running
from tests.waiting import skip_pauses

JOB = derived_names("demand")["Cloud Run job"]
MARK = "gs://acme-test-mlspec-state/forecasts/demand/steps/0123"
WORDS = ["step", "check", "--out", MARK]
STEPS = 5  # check, backtest, train, forecast, evaluate
# Says that it runs, then waits until it is let go: both files are pipes at first.
GATED = "from pathlib import Path; Path({started!r}).write_text('.'); Path({gate!r}).read_text(); "
MLSPEC = "from mlspec.__main__ import main; main()"


@pytest.fixture
def job(standin: Running) -> Iterator[JobExecutions]:
    """A forecast's job, whose program runs until it is cancelled."""
    platform.forecast(standin.project, "demand", image="runs")
    standin.hook("runs", [sys.executable, "-c", "import signal; signal.pause()"])
    clients = Clients(standin.project, platform.REGION)
    yield JobExecutions(clients, JOB)
    clients.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return skip_pauses(monkeypatch)


def begin(job: JobExecutions, *, done: bool = False) -> str | None:
    return job.start_once(WORDS, MARK, lambda: done)


def cancel(name: str) -> None:
    from google.cloud import run_v2

    run_v2.ExecutionsClient().cancel_execution(name=name).result()


def test_what_runs_is_found_and_not_begun_again(job: JobExecutions, standin: Running) -> None:
    first = begin(job)
    assert job.start_once([*WORDS, "--option", "now=later"], MARK, lambda: False) == first
    assert job.start_once(["step", "check", "--out", f"{MARK}9"], f"{MARK}9", lambda: False) != first
    assert len(platform.executions(standin.project, JOB)) == 2


def test_what_ended_without_a_result_is_begun_anew_and_with_one_is_not(job: JobExecutions, standin: Running) -> None:
    first = begin(job)
    assert first
    cancel(first)
    assert begin(job, done=True) is None
    second = begin(job)
    assert second not in {None, first}
    assert len(platform.executions(standin.project, JOB)) == 2


@pytest.mark.parametrize("fault", [{"lost": True}, {"code": 503}], ids=["lost answer", "unavailable"])
def test_a_start_that_went_wrong_on_the_way_is_one_execution(
    job: JobExecutions, standin: Running, slept: list[float], fault: dict[str, object]
) -> None:
    standin.fault("RunJob", **fault)
    name = begin(job)
    assert [each.name for each in platform.executions(standin.project, JOB)] == [name]
    assert slept


def test_a_look_outlasts_answers_that_go_wrong(job: JobExecutions, standin: Running, slept: list[float]) -> None:
    name = begin(job)
    assert name
    cancel(name)
    standin.fault("GetExecution", code=503, count=3)
    assert job.is_over(name)
    assert len(slept) == 3


def test_what_is_gone_is_over_and_what_runs_is_not_until_it_is_cancelled(job: JobExecutions, standin: Running) -> None:
    name = begin(job)
    assert name
    assert job.is_over(f"{name}-gone")
    assert not job.is_over(name)
    all_jobs = RecentExecutions(Clients(standin.project, platform.REGION))
    assert [all_jobs.is_over(each) for each in (name, f"{name}-gone")] == [False, True]
    for _ in range(2):  # the second finds it ended
        job.cancel(name)
    assert job.is_over(name)


def test_without_the_job_it_is_said_what_makes_it(standin: Running) -> None:
    clients = Clients(standin.project, platform.REGION)
    with pytest.raises(TargetError, match=f"the job .*/{JOB} does not exist"):
        begin(JobExecutions(clients, JOB))
    clients.close()


def test_a_loop_that_is_killed_while_a_step_runs_finds_it_at_the_next_pass(
    acme: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, gate = tmp_path / "started", tmp_path / "gate"
    for each in (started, gate):
        os.mkfifo(each)
    code = GATED.format(started=str(started), gate=str(gate)) + MLSPEC
    acme.standin.hook_code(".*", code, cwd=str(acme.root))
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    argv = [sys.executable, "-c", MLSPEC, "reconcile", "--once", "--target", "dev"]
    with subprocess.Popen(argv, cwd=acme.root, env={**os.environ, "PYTHONPATH": str(ROOT)}) as loop:
        assert started.read_text() == "."
        loop.kill()
        assert loop.wait() == -signal.SIGKILL
    with gate.open("w"):
        for each in (started, gate):  # whatever runs from now on is not held
            each.unlink()
            each.touch()
    monkeypatch.setattr(lease, "LIFE", timedelta(seconds=1))
    monkeypatch.setattr(lease, "SKEW", timedelta(0))
    assert acme.run("reconcile", "--once", "--lock-timeout", "30s") == 0, acme.standin.outputs()
    assert len(platform.executions(acme.project, JOB)) == STEPS
