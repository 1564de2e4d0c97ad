"""Heavy steps on a machine of the spec's choice: custom jobs of Vertex AI, started once, waited for, under the right account."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1 as vertex

from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.ledger import StartedWork
from mlspec.state.observed import Settlement
from mlspec.targets.gcp.target import GcpTarget
from tests.gcp.acme import IMAGE, Acme
from tests.gcp.platform import REGION
from tests.waiting import until

ONCE = ("reconcile", "--once", "--yes")
JOBS = "google.cloud.aiplatform.v1.JobService"


@pytest.fixture
def heavy(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> Acme:
    acme.say(training="{machine: n2-highmem-8}")
    acme.containers_run()
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    monkeypatch.setenv("MLSPEC_IMAGE", IMAGE)
    return acme


def jobs(acme: Acme) -> list[Any]:
    client = vertex.JobServiceClient(client_options={"api_endpoint": f"{REGION}-aiplatform.googleapis.com"})
    return sorted(client.list_custom_jobs(parent=acme.place), key=lambda job: str(job.create_time))


def test_backtest_and_train_run_once_on_the_spec_s_machine_and_the_rest_where_it_always_does(heavy: Acme) -> None:
    heavy.standin.fault("CreateCustomJob", lost=True, count=1)  # done, and not answered
    assert heavy.run(*ONCE) == 0, heavy.standin.outputs()
    counted = heavy.standin.counted()
    assert counted[f"{JOBS}.CreateCustomJob"] == 2
    assert counted["google.cloud.run.v2.Jobs.RunJob"] == 3  # check, forecast, evaluate
    backtest, train = jobs(heavy)
    assert (backtest.display_name, train.display_name) == ("mlspec-demand-backtest", "mlspec-demand-train")
    assert backtest.state.name == train.state.name == "JOB_STATE_SUCCEEDED"
    spec = train.job_spec
    assert spec.worker_pool_specs[0].machine_spec.machine_type == "n2-highmem-8"
    assert spec.worker_pool_specs[0].container_spec.image_uri == IMAGE
    assert spec.service_account == f"demand-train@{heavy.project}.iam.gserviceaccount.com"
    assert train.encryption_spec.kms_key_name.endswith("/keyRings/mlspec/cryptoKeys/mlspec")
    assert train.labels["managed-by"] == "mlspec"


@pytest.fixture
def held(heavy: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Passes are made, none of which follows, until the backtest's container runs: until this file is there."""
    go = tmp_path / "go"
    heavy.containers_run(
        before=f"import os, sys, time\nwhile 'backtest' in sys.argv and not os.path.exists({str(go)!r}): time.sleep(0.05)\n"
    )
    monkeypatch.setenv("MLSPEC_FOLLOW", "0s")
    until(lambda: heavy.run(*ONCE) == 0 and jobs(heavy), 60)
    return go


def started(acme: Acme) -> tuple[StartedWork, ...]:
    """What is recorded as running."""
    return (
        GcpTarget(GcpLocation("dev", acme.project, REGION), acme.root / "far")
        .observe_forecast("demand")
        .ledger.under_way
    )


def change_started(acme: Acme, *works: StartedWork) -> None:
    """Record that this runs, and nothing else."""
    target = GcpTarget(GcpLocation("dev", acme.project, REGION), acme.root / "far")
    ledger = replace(target.observe_forecast("demand").ledger, under_way=works)
    target.record_settlement(Settlement("demand", ledger=ledger), "2024-03-01T00:00:00Z")


def test_a_pass_does_not_wait_and_none_starts_again_what_runs(
    heavy: Acme, held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (backtest,) = jobs(heavy)
    (known,) = started(heavy)
    assert (known.kind, known.name, known.what) == ("custom-job", backtest.name, "backtest")
    (status,) = heavy.asked(capsys, "status")["forecasts"]
    (progressing,) = [each for each in status["conditions"] if each["type"] == "Progressing"]
    assert f"waiting for backtest since {known.started}, until {known.deadline}" in progressing["message"]
    before = heavy.changed()
    assert heavy.run(*ONCE) == 0
    assert heavy.changed() == before
    change_started(heavy)  # as if the loop had been killed between the start and the record
    assert heavy.run(*ONCE) == 0
    assert [each.name for each in started(heavy)] == [backtest.name]
    held.touch()
    monkeypatch.setenv("MLSPEC_FOLLOW", "10m")
    assert heavy.run(*ONCE) == 0, heavy.standin.outputs()
    assert [job.display_name for job in jobs(heavy)] == ["mlspec-demand-backtest", "mlspec-demand-train"]
    assert started(heavy) == ()


def test_a_job_that_outlasts_its_time_is_cancelled_and_told_and_another_is_started_later(
    heavy: Acme, held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (known,) = started(heavy)
    change_started(heavy, replace(known, deadline=known.started))
    until(lambda: heavy.run(*ONCE) != 0, 60)
    assert f"backtest was cancelled: it ran as {known.name} since" in capsys.readouterr().err
    assert started(heavy) == ()
    assert [job.state.name for job in jobs(heavy)] == ["JOB_STATE_CANCELLED"]
    assert heavy.run(*ONCE) == 0  # its retry is not due
    assert len(jobs(heavy)) == 1
    held.touch()
    monkeypatch.setenv("MLSPEC_FOLLOW", "10m")
    assert heavy.run("resume", "demand") == 0
    assert heavy.run(*ONCE) == 0, heavy.standin.outputs()
    assert [job.state.name for job in jobs(heavy)] == [
        "JOB_STATE_CANCELLED",
        "JOB_STATE_SUCCEEDED",
        "JOB_STATE_SUCCEEDED",
    ]


def test_a_training_that_fails_is_told_and_tried_anew_later(heavy: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    heavy.say(model="{horizon: 3, candidates: [{kind: seasonal-naive, season: 7000}]}")
    assert heavy.run(*ONCE) != 0
    assert "Traceback" not in capsys.readouterr().err
    (failed,) = jobs(heavy)
    assert failed.display_name == "mlspec-demand-backtest"
