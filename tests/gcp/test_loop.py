"""The loop on Google Cloud, through Google's real clients: what it makes there, keeps there, mends, rolls back and takes down."""

from __future__ import annotations

import json

import pytest

from tests.examples import sales
from tests.gcp import platform
from tests.gcp.acme import IMAGE, Acme, serve_online
from tests.terraform.provider.cloud import Cloud

ONCE = ("reconcile", "--once")


def test_a_first_pass_makes_everything_and_a_second_changes_nothing(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.online()
    assert acme.run(*ONCE) == 0
    (serving,) = acme.asked(capsys, "status")["forecasts"]
    version = serving["serving"][0]["version"]
    assert acme.traffic() == {version: 100}
    (registered,) = acme.versions()
    assert {"default", version} <= set(registered.version_aliases)
    assert registered.labels["mlspec-version"] == version
    assert registered.container_spec.image_uri == IMAGE
    before, objects = acme.changed(), acme.objects("state")
    assert acme.run(*ONCE) == 0
    assert acme.changed() == before
    assert acme.objects("state") == objects


def test_everyone_else_reads_the_forecast_in_bigquery(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    assert acme.run(*ONCE) == 0
    rows, shown = acme.rows(), acme.asked(capsys, "forecast", "demand")["rows"]
    means = {
        (json.loads(row["series"])["shop"], row["time"].date().isoformat()): row["value"]
        for row in rows
        if row["quantile"] is None
    }
    assert means == {(row["shop"], row["day"]): row["mean"] for row in shown}
    assert {row["quantile"] for row in rows} == {None, 0.1, 0.5, 0.9}


def test_steps_run_in_containers_give_what_steps_here_give(
    acme: Acme, terraform_too: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    acme.run(*ONCE)
    here = acme.asked(capsys, "forecast", "demand")["rows"]
    acme.run("destroy", "demand", "--purge", "--yes")
    acme.containers_run()
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    assert acme.run(*ONCE) == 0, acme.standin.outputs()
    assert acme.asked(capsys, "forecast", "demand")["rows"] == here
    assert acme.standin.counted()["google.cloud.run.v2.Jobs.RunJob"] == 5


def test_what_was_moved_behind_its_back_is_put_back(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    acme.prepare(serve_online)
    wanted = acme.traffic()
    found = acme.endpoint()
    del found.traffic_split[next(iter(found.traffic_split))]
    platform.endpoints().update_endpoint(endpoint=found, update_mask={"paths": ["traffic_split"]})
    assert acme.traffic() == {}
    assert acme.run(*ONCE) == 0
    assert acme.traffic() == wanted
    (history,) = [each for each in acme.asked(capsys, "history", "demand")["events"] if each["reason"] == "DriftMended"]
    assert "traffic" in history["message"]
    assert len(acme.asked(capsys, "history", "demand")["releases"]) == 1


def test_an_account_that_may_not_look_at_vertex_ai_runs_steps_all_the_same(acme: Acme) -> None:
    acme.prepare(serve_online)
    acme.standin.fault("ModelService|EndpointService", code=403, count=999)
    assert acme.run("step", "evaluate", "--spec", "specs/demand.yaml") == 0
    acme.data(sales(days=43))
    assert acme.run("step", "check", "--spec", "specs/demand.yaml") == 0


def test_what_is_taken_down_leaves_nothing_that_mlspec_made(
    acme: Acme, terraform_too: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.online()
    acme.containers_run()
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    assert acme.run(*ONCE) == 0
    assert acme.run("destroy", "demand", "--purge", "--yes") == 0
    assert acme.traffic() == {}
    assert list(acme.endpoint().deployed_models) == []
    assert list(platform.models().list_models(parent=acme.place)) == []
    assert acme.objects("models") == []
    assert [each for each in acme.objects("state") if not each.startswith("terraform/")] == ["lineage"]


def test_what_an_alert_looks_at_is_written_where_its_policy_watches(acme: Acme) -> None:
    acme.say(alerts="[{name: stale, metric: data_age, above: 10d, for: 2 of 3, severity: critical}]")
    acme.run(*ONCE)
    acme.data(sales(days=43))
    assert acme.run(*ONCE) == 0
    points = {each.metric.type.rpartition("/")[2]: each for each in platform.points(acme.project)}
    assert dict(points["value"].metric.labels) == {"forecast": "demand", "alert": "stale", "segment": ""}
    assert points["value"].points[0].value.double_value > 10 * 86_400
    assert points["breaches"].points[0].value.double_value == 3
    assert points["value"].resource.type == "generic_task"


def test_monitors_that_cannot_be_told_hold_up_nothing(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    acme.say(alerts="[{name: stale, metric: data_age, above: 10d, severity: critical}]")
    acme.run(*ONCE)
    acme.data(sales(days=43))
    acme.standin.fault("CreateTimeSeries", code=403, count=99)
    assert acme.run(*ONCE) == 0
    (alert,) = acme.asked(capsys, "status")["forecasts"][0]["alerts"]
    assert alert["state"] == "firing"
    reasons = [each["reason"] for each in acme.asked(capsys, "history", "demand")["events"]]
    assert "MonitorsNotTold" in reasons
