"""A step on Google Cloud whose process is killed goes on from what it had made: on Cloud Run, Vertex AI, and in a task of a DAG."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1 as vertex

from mlspec.errors import Exit, Terminated
from mlspec.forecast import candidates
from mlspec.jobs import kept_results
from mlspec.spec.gcp.resource_names import derived_names
from tests.gcp import platform
from tests.gcp.acme import IMAGE, Acme
from tests.gcp.platform import REGION

ONCE = ("reconcile", "--once", "--yes")
JOB = derived_names("demand")["Cloud Run job"]
MODEL = "{horizon: 3, candidates: [{kind: seasonal-naive}, {kind: croston}], backtest: {windows: 1}}"
# Before a container's own program: it keeps all results, notes each candidate that it fits, and dies once, after the first result.
KILLED_ONCE = """
import os, signal, sys
from pathlib import Path
from mlspec.forecast import candidates
from mlspec.jobs import kept_results
from mlspec.targets.gcp.jobs.kept_objects import KeptObjects

fit, write, notes, killed = candidates.fit_candidate, KeptObjects.write_result, Path({notes!r}), Path({killed!r})

def fit_and_note(candidate, *words):
    if "backtest" in sys.argv:
        with notes.open("a") as file:
            print(candidate.label, file=file)
    return fit(candidate, *words)

def write_and_die_once(store, name, data):
    write(store, name, data)
    if "backtest" in sys.argv and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)

kept_results.WORTH_KEEPING = 0.0
candidates.fit_candidate, KeptObjects.write_result = fit_and_note, write_and_die_once
"""


def started(acme: Acme, machine: str) -> list[list[str]]:
    """The words of each backtest that was started, the newest first."""
    if machine:
        client = vertex.JobServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
        jobs = sorted(client.list_custom_jobs(parent=acme.place), key=lambda job: str(job.create_time), reverse=True)
        found = [list(job.job_spec.worker_pool_specs[0].container_spec.args) for job in jobs]
    else:
        found = [list(each.template.containers[0].args) for each in platform.executions(acme.project, JOB)]
    return [words for words in found if words[1] == "backtest"]


def contents(acme: Acme, folder: str) -> dict[str, bytes]:
    """The bytes of the objects of a step's result."""
    bucket = platform.storage(acme.project).bucket(platform.bucket(acme.project, "state"))
    names = [name for name in acme.objects("state") if name.startswith(folder) and not name.endswith("spec.json")]
    return {name.removeprefix(folder): bucket.blob(name).download_as_bytes() for name in names}


def kept(acme: Acme) -> list[str]:
    return [name for name in acme.objects("state") if name.endswith(".kept")]


@pytest.mark.parametrize("machine", ["", "n2-highmem-8"], ids=["Cloud Run", "Vertex AI"])
def test_a_backtest_that_is_killed_fits_the_other_candidates_only_and_comes_to_the_same_bytes(
    acme: Acme, machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes, killed = tmp_path / "notes", tmp_path / "killed"
    acme.say(model=MODEL, **({"training": f"{{machine: {machine}}}"} if machine else {}))
    acme.containers_run(before=KILLED_ONCE.format(notes=str(notes), killed=str(killed)))
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    monkeypatch.setenv("MLSPEC_IMAGE", IMAGE)
    assert acme.run(*ONCE) != 0
    assert len(kept(acme)) == 1
    assert acme.run("resume", "demand") == 0  # a retry is due
    assert acme.run(*ONCE) == 0, acme.standin.outputs()
    assert notes.read_text().split() == ["seasonal-naive", "croston"]  # each once, by two processes
    second, first = started(acme, machine)
    assert first == second
    assert kept(acme) == []
    if not machine:  # the stand-in of Vertex AI does not say in the environment that the log is JSON
        assert any("took over a result of an earlier run" in said for said in acme.standin.outputs())
    out = second[second.index("--out") + 1]
    other = f"{out}-undisturbed"
    assert acme.run(*[other if word == out else word for word in second if word not in ("--target", "dev")]) == 0
    folder = out.partition("mlspec-state/")[2]
    assert contents(acme, f"{folder}/") == contents(acme, f"{folder}-undisturbed/")


def test_a_task_of_a_dag_keeps_in_the_bucket_too_since_its_files_are_gone_with_its_machine(
    acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUD_RUN_JOB", JOB)
    monkeypatch.setattr(kept_results, "WORTH_KEEPING", 0.0)
    fit, fitted = candidates.fit_candidate, list[str]()

    def fit_and_stop(candidate: Any, *words: Any) -> Any:
        fitted.append(candidate.label)
        if fitted == ["seasonal-naive", "croston"]:
            raise Terminated
        return fit(candidate, *words)

    monkeypatch.setattr(candidates, "fit_candidate", fit_and_stop)
    acme.say(model=MODEL)
    assert acme.run(*ONCE) == Exit.PARTIAL  # the next pass goes on
    assert len(kept(acme)) == 1
    assert acme.run(*ONCE) == 0
    assert fitted[:3] == ["seasonal-naive", "croston", "croston"]
    assert kept(acme) == []
