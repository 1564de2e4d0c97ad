"""The batch forecast by a batch prediction job: the registered container really answers, and the step writes down what it said.

Most tests let a pass of this process make the forecast first, and then a job the same: so they know what it has to be.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1 as vertex

from mlspec.errors import TargetError, WorkUnderWay
from mlspec.plan.started_work import started_work
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.ledger import Ledger, StartedWork
from mlspec.state.observed import Settlement
from mlspec.state.record import FileRef, ForecastRun
from mlspec.state.step import RemoteStep, StepResult, panel_parts
from mlspec.targets.gcp.target import GcpTarget
from mlspec.targets.local.artifacts import sha256_of
from tests.examples import sales
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.platform import REGION

ONCE = ("reconcile", "--once", "--yes")
SERVICE = "google.cloud.aiplatform.v1.JobService"
MACHINE = "n2-highmem-8"
CROSTON = "{horizon: 2, candidates: [{kind: croston}], backtest: {windows: 2, step: 2}, gate: []}"
SHOPS = ("001", "NA", "süd/2", "7", "8", "9")  # of two halves, by the hash of their names, each has some

BREAKS = """
from mlspec.web import answer
was = answer._forecast_instance
def predicts(asked, *more):
    if asked.key == '099':
        raise ValueError('too cold')
    return was(asked, *more)
answer._forecast_instance = predicts
"""


class Far:
    """A forecast that was made here, and what makes it far away."""

    def __init__(self, acme: Acme, folder: Path) -> None:
        self.acme, self.folder = acme, folder
        self.target = GcpTarget(GcpLocation("dev", acme.project, REGION), folder / "far")

    def serve(self, rollout: str, **parts: str) -> ForecastRun:
        """Commit another spec, and let a pass of this process follow it; return the forecast that it made."""
        self.acme.say(deployment=f"{{serve: batch, rollout: {rollout}}}", **parts)
        assert self.acme.run(*ONCE) == 0
        return self.target.load_runs("demand")[0]

    def step(self, key: str = "0" * 64) -> RemoteStep:
        """The step that makes the forecast, with the key `deployment.batch_machine`."""
        observed, (release, *_) = self.target.observe_forecast("demand"), self.target.load_releases("demand")
        traffic = observed.find_fact("deployment", "traffic")
        files = observed.resources["data"].files
        inputs = {**panel_parts(files), "series": files["series"]}
        for version in self.target.load_versions("demand"):
            inputs |= {f"{role}-{version.version}": version.files[role] for role in ("model", "backtest")}
        spec = {**release.spec, "deployment": {**release.spec["deployment"], "batch_machine": MACHINE}}
        (out := self.folder / key[:8]).mkdir(exist_ok=True)
        return RemoteStep("demand", "forecast", key, spec, inputs, {"traffic": dict(traffic)}, out)

    def run(self, step: RemoteStep) -> StepResult:
        """Run it as the loop does: what was started is recorded, and forgotten where it failed."""
        try:
            while True:
                try:
                    return self.target.run_remote_step(step)
                except WorkUnderWay as under_way:
                    self.wait(under_way)
        except TargetError:
            self.remember(())
            raise

    def wait(self, under_way: WorkUnderWay) -> None:
        """Record what runs, and wait for it."""
        started = started_work(under_way, Ledger(), "", "2024-03-01T00:00:00Z")
        self.remember((started,))
        assert self.target.wait_for_work((started,), 600) == (started,)

    def remember(self, under_way: tuple[StartedWork, ...]) -> None:
        """Record that this runs, and nothing else."""
        ledger = self.target.observe_forecast("demand").ledger
        self.target.record_settlement(
            Settlement("demand", ledger=replace(ledger, under_way=under_way)), "2024-03-01T00:00:00Z"
        )

    def jobs(self) -> list[Any]:
        """The batch prediction jobs, the oldest first."""
        client = vertex.JobServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
        return sorted(client.list_batch_prediction_jobs(parent=self.acme.place), key=lambda job: str(job.create_time))

    def lose_sight(self, step: RemoteStep) -> None:
        """Start a job, and be stopped before it is recorded."""
        with pytest.raises(WorkUnderWay) as raised:
            self.target.run_remote_step(step)
        if raised.value.kind != "batch-prediction":
            self.wait(raised.value)
            self.lose_sight(step)

    def over(self) -> Any:
        """The newest job, when it is over."""
        while (job := self.jobs()[-1]).state.name in {"JOB_STATE_PENDING", "JOB_STATE_RUNNING"}:
            threading.Event().wait(0.1)
        return job

    def answers(self, job: Any) -> Any:
        """The object of a job's predictions."""
        folder = job.output_info.gcs_output_directory.partition("forecasts/")[2]
        bucket = platform.storage(self.acme.project).bucket(platform.bucket(self.acme.project, "state"))
        (found,) = bucket.list_blobs(prefix=f"forecasts/{folder}/prediction.results-")
        return found


@pytest.fixture
def far(acme: Acme, tmp_path: Path) -> Far:
    acme.data(sales(shops=SHOPS))
    acme.containers_run()
    return Far(acme, tmp_path)


def same(result: StepResult, run: ForecastRun) -> bool:
    """Whether a step wrote the forecast that is recorded, byte by byte, and says the same of it."""
    facts = {name: fact for name, fact in run.facts.items() if name != "inventory"}
    return _digests(result) == {role: ref.sha256 for role, ref in _of_step(run).items()} and dict(result.facts) == facts


def _digests(result: StepResult) -> dict[str, str]:
    return {role: sha256_of(path) for role, path in result.outputs.items()}


def _of_step(run: ForecastRun) -> dict[str, FileRef]:
    return {role: ref for role, ref in run.files.items() if role in {"forecast", "shadow"}}


def server(code: str) -> str:
    """Python that the container of a model begins with, and no step does."""
    return f"import sys\nif 'serve' in sys.argv:\n    {code}\n"


def test_a_pass_has_the_forecast_made_once_by_the_registered_version_on_the_spec_s_machine(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = far.acme
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    acme.say(deployment=f"{{serve: batch, batch_machine: {MACHINE}}}")
    acme.standin.fault("CreateBatchPredictionJob", lost=True, count=1)  # done, and not answered
    assert acme.run(*ONCE) == 0, acme.standin.outputs()
    counted = acme.standin.counted()
    assert counted[f"{SERVICE}.CreateBatchPredictionJob"] == 1
    assert counted["google.cloud.run.v2.Jobs.RunJob"] == 6  # check, backtest, train, forecast twice, inventory
    (job,) = far.jobs()
    assert (job.display_name, job.state.name) == ("mlspec-demand-forecast", "JOB_STATE_SUCCEEDED")
    assert job.model == f"{acme.place}/models/mlspec-demand@1"
    machine = job.dedicated_resources
    assert machine.machine_spec.machine_type == MACHINE
    assert (machine.starting_replica_count, machine.max_replica_count) == (1, 1)
    assert job.service_account == f"demand-train@{acme.project}.iam.gserviceaccount.com"
    assert job.encryption_spec.kms_key_name.endswith("/keyRings/mlspec/cryptoKeys/mlspec")
    assert job.labels["managed-by"] == "mlspec"
    assert len(acme.rows()) == len(SHOPS) * 2 * 4  # two periods, each with its mean and three quantiles
    before = acme.changed()
    assert acme.run(*ONCE) == 0
    assert acme.changed() == before


def test_it_is_the_forecast_that_the_step_makes_to_the_last_byte_of_one_version_and_of_a_canary(far: Far) -> None:
    alone = far.serve("{strategy: all-at-once}")
    assert same(far.run(far.step("a" * 64)), alone)
    shared = far.serve("{strategy: canary, steps: [50, 100], interval: 1h}", model=CROSTON)
    step = far.step("b" * 64)
    assert sorted(step.options["traffic"].values()) == [50, 50]
    assert same(far.run(step), shared)
    assert len(far.jobs()) == 3, "one, and then one for each version"


def test_a_shadow_and_earlier_cutoffs_go_the_usual_way(far: Far) -> None:
    far.serve("{strategy: all-at-once}")
    shadowed = far.serve("{strategy: blue-green, interval: 1h}", model=CROSTON)
    step = far.step("a" * 64)
    assert sorted(step.options["traffic"].values()) == [0, 100]
    assert same(far.run(step), shadowed)
    (version,) = [name for name, share in step.options["traffic"].items() if share]
    roles = {role: step.inputs[f"{role}-{version}"] for role in ("model", "backtest")}
    again = replace(
        step, key="b" * 64, inputs={**step.inputs, **roles}, options={"version": version, "cutoffs": ["2024-02-09"]}
    )
    assert far.run(again).facts["rows"] == len(SHOPS) * 2
    assert far.jobs() == []


def test_a_job_that_fails_is_told_in_its_own_words_and_another_is_started(far: Far) -> None:
    made = far.serve("{strategy: all-at-once}")
    far.acme.containers_run(before=server("raise SystemExit('the disk is on fire')"))
    with pytest.raises(TargetError, match="the batch prediction job ended without a result") as raised:
        far.run(far.step())
    assert "Model server terminated: model server container exited with code 1" in raised.value.message
    assert "newest first: the disk is on fire" in raised.value.message
    assert "console.cloud.google.com/logs" in str(raised.value.hint)
    far.acme.containers_run()
    assert same(far.run(far.step()), made)
    assert [job.state.name for job in far.jobs()] == ["JOB_STATE_FAILED", "JOB_STATE_SUCCEEDED"]


def test_a_forecast_with_instances_that_failed_is_none(far: Far) -> None:
    """Of a hundred shops in two requests, one breaks the request that it is in."""
    far.acme.data(sales(days=28, shops=tuple(f"{number:03}" for number in range(100))))
    far.serve("{strategy: all-at-once}")
    far.acme.containers_run(before=BREAKS)
    with pytest.raises(TargetError, match=r"36 instances failed: .*Cannot get predictions") as raised:
        far.run(far.step())
    assert "too cold" in raised.value.message
    (job,) = far.jobs()
    assert (job.state.name, job.completion_stats.failed_count) == ("JOB_STATE_SUCCEEDED", 36)
    assert not [name for name in far.acme.objects("state") if name.endswith(f"{'0' * 64}/forecast.parquet")]


def test_predictions_that_are_fewer_than_the_instances_are_refused_and_asked_for_anew(far: Far) -> None:
    made = far.serve("{strategy: all-at-once}")
    far.lose_sight(far.step())
    answers = far.answers(far.over())
    answers.upload_from_string("\n".join(answers.download_as_text().splitlines()[:-1]))
    with pytest.raises(TargetError, match="forecast 5 of 6 series, and left out 'süd/2'"):
        far.run(far.step())
    assert len(far.jobs()) == 1
    assert same(far.run(far.step()), made)
    assert len(far.jobs()) == 2


def test_a_job_that_ended_meanwhile_is_used_and_no_other_is_started(far: Far) -> None:
    made = far.serve("{strategy: all-at-once}")
    far.lose_sight(far.step())
    assert far.over().state.name == "JOB_STATE_SUCCEEDED"
    assert same(far.run(far.step()), made)
    assert len(far.jobs()) == 1


def test_a_job_that_runs_already_is_waited_for_and_not_started_again(far: Far, tmp_path: Path) -> None:
    made, go = far.serve("{strategy: all-at-once}"), tmp_path / "go"
    waits = f"import os, time\n    while not os.path.exists({str(go)!r}): time.sleep(0.05)"
    far.acme.containers_run(before=server(waits))
    far.lose_sight(far.step())
    assert far.jobs()[0].state.name == "JOB_STATE_RUNNING"
    go.touch()
    assert same(far.run(far.step()), made)
    assert len(far.jobs()) == 1


def test_without_a_registered_version_it_is_said_what_registers_one(far: Far) -> None:
    far.serve("{strategy: all-at-once}")
    platform.models().delete_model(name=f"{far.acme.place}/models/mlspec-demand").result()
    with pytest.raises(TargetError, match=r"the model registry does not have v\w+ of demand") as raised:
        far.run(far.step())
    assert "mlspec apply" in str(raised.value.hint)
