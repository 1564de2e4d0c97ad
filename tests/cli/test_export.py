"""`mlspec export mlflow`: each version is a run, once; what changes in the record follows."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from mlspec.errors import TargetError
from mlspec.plan.exported_runs import exported_runs
from mlspec.state.exported_run import ExportedRun
from mlspec.state.observed import Observed
from mlspec.targets.contract.nouns import version
from mlspec.targets.mlflow_tracking import ExportCounts, MlflowTracking
from tests.cli.test_session import Mlspec, applied, mlspec

__all__ = ["applied", "mlspec"]  # fixtures


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder that MLflow's own client keeps runs in, as a server does."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what MLflow's own modules say when they are imported
        import mlflow.tracking  # noqa: F401
    return (tmp_path / "mlruns").as_uri()


def stored(server: str, experiment: str = "mlspec/demand") -> list[Any]:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(server)
    return list(client.search_runs([client.get_experiment_by_name(experiment).experiment_id]))


def test_a_forecasts_versions_are_exported_once(applied: Mlspec, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    assert applied("export", "mlflow").out == "demand: 1 runs added, 0 changed, 0 as they were\n"
    (newest,) = json.loads(applied("history", "demand", "--output", "json").out)["versions"]
    (run,) = stored(server)
    assert (run.info.run_name, run.info.status) == (newest["version"], "FINISHED")
    assert run.data.params["candidate"] == newest["candidate"]
    assert run.data.params["data_version"] == newest["data_version"]
    assert run.data.metrics["backtest_wape"] == newest["metrics"]["wape"]
    assert (run.data.tags["mlspec.state"], run.data.tags["mlspec.traffic"]) == ("passed", "100")
    again = json.loads(applied("export", "mlflow", "demand", "--output", "json").out)
    assert again == {"forecasts": [{"forecast": "demand", "added": 0, "changed": 0, "unchanged": 1}]}
    assert len(stored(server)) == 1


def test_what_changed_in_the_record_follows_and_a_run_that_was_cut_off_is_completed(server: str) -> None:
    tracking = MlflowTracking(server)
    (first,) = exported_runs([version()], Observed("demand"))
    assert tracking.export_runs("e", [first]) == ExportCounts(1, 0, 0)
    measured = ExportedRun(
        first.version, first.created, first.params, {**first.metrics, "realised_wape": 0.2}, {**first.tags, "mlspec.traffic": "100"}
    )  # fmt: skip
    (second,) = exported_runs([version("v2")], Observed("demand"))
    tracking._client.create_run(tracking._find_experiment("e"), tags={"mlspec.version": "v2"})
    assert tracking.export_runs("e", [measured, second]) == ExportCounts(0, 2, 0)
    assert tracking.export_runs("e", [measured, second]) == ExportCounts(0, 0, 2)
    runs = {run.data.tags["mlspec.version"]: run for run in stored(server, "e")}
    assert runs["v1"].data.metrics == {"backtest_wape": 0.1, "realised_wape": 0.2}
    assert runs["v1"].data.tags["mlspec.traffic"] == "100"
    assert runs["v2"].info.status == "FINISHED"
    assert runs["v2"].data.params == {"candidate": "theta", "seed": "0"}


def test_a_server_that_takes_nothing_is_named_with_what_to_do(server: str, tmp_path: Path) -> None:
    tracking = MlflowTracking(server)
    tracking.export_runs("e", [])
    tracking._client.delete_experiment(tracking._find_experiment("e"))
    with pytest.raises(TargetError, match="the experiment 'e' is deleted there"):
        tracking.export_runs("e", [])
    with pytest.raises(TargetError, match="MLflow at bogus://x") as refused:
        MlflowTracking("bogus://x").export_runs("e", [])
    assert "--tracking-uri" in str(refused.value.hint)


def test_a_server_that_nobody_has_started_is_named_within_seconds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    for pause in ("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER"):
        monkeypatch.setenv(pause, "0")
    with pytest.raises(TargetError, match=r"MLflow at http://127\.0\.0\.1:9: .*Connection refused"):
        MlflowTracking("http://127.0.0.1:9").export_runs("e", [])
    assert sum("Retrying" in record.getMessage() for record in caplog.records) == 2


def test_an_export_that_says_no_server_or_mixes_forecasts_changes_nothing(
    mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    said = mlspec("export", "mlflow")
    assert said.code == 2
    assert "no tracking server is named" in said.err
    assert "there is no forecast 'other'" in mlspec("export", "mlflow", "other", "--tracking-uri", "file:///x").err
