"""Heavy steps on a machine of the spec's choice: custom jobs of Vertex AI, started once, waited for, under the right account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.cloud import aiplatform_v1 as vertex

from tests.gcp.acme import IMAGE, Acme
from tests.gcp.platform import REGION

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


def test_a_job_that_runs_already_is_waited_for_and_not_started_again(heavy: Acme, tmp_path: Path) -> None:
    go = tmp_path / "go"
    waits = (
        f"import os, sys, time\nwhile 'backtest' in sys.argv and not os.path.exists({str(go)!r}): time.sleep(0.05)\n"
    )
    heavy.containers_run(before=waits)
    heavy.standin.fault("GetCustomJob", code=403, count=1)
    assert heavy.run(*ONCE) == 4  # the loop lost sight of the job; a person looks, and lets it try again at once
    (backtest,) = jobs(heavy)
    assert backtest.state.name == "JOB_STATE_RUNNING"
    go.touch()
    assert heavy.run("resume", "demand") == 0
    assert heavy.run(*ONCE) == 0, heavy.standin.outputs()
    assert [job.display_name for job in jobs(heavy)] == ["mlspec-demand-backtest", "mlspec-demand-train"]


def test_a_job_that_outlasts_its_time_is_told_to_run_still_and_is_waited_for_again(
    heavy: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go = tmp_path / "go"
    waits = (
        f"import os, sys, time\nwhile 'backtest' in sys.argv and not os.path.exists({str(go)!r}): time.sleep(0.05)\n"
    )
    heavy.containers_run(before=waits)
    with monkeypatch.context() as short:
        short.setattr("mlspec.targets.gcp.jobs.vertex_jobs.LONG", 0)
        assert heavy.run(*ONCE) == 4
    (backtest,) = jobs(heavy)
    assert f"{backtest.name} still runs after 0 hours" in capsys.readouterr().err
    go.touch()
    assert heavy.run("resume", "demand") == 0
    assert heavy.run(*ONCE) == 0, heavy.standin.outputs()
    assert [job.display_name for job in jobs(heavy)] == ["mlspec-demand-backtest", "mlspec-demand-train"]


def test_a_training_that_fails_is_told_and_tried_anew_later(heavy: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    heavy.say(model="{horizon: 3, candidates: [{kind: seasonal-naive, season: 7000}]}")
    assert heavy.run(*ONCE) != 0
    assert "Traceback" not in capsys.readouterr().err
    (failed,) = jobs(heavy)
    assert failed.display_name == "mlspec-demand-backtest"
