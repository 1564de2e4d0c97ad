"""A private endpoint gets the data of each new forecast, and no other: who deploys it, when, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.engine.alert_handler import handle_alert
from mlspec.engine.apply import apply_specs
from mlspec.engine.steps import run_on_target
from mlspec.plan.moments import format_moment
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.ledger import StartedWork
from mlspec.state.observed import Settlement
from mlspec.state.pass_steps import PASS_STEPS
from mlspec.state.retention import Pruning, RegisteredCounts
from mlspec.state.step import StepRequest
from mlspec.targets.gcp.target import GcpTarget
from tests.engine.dag_run import play
from tests.engine.world import CANARY, Turned, with_two_versions
from tests.examples import sales
from tests.gcp import platform
from tests.gcp.acme import LOOP, PRIVATE, Acme, serve_privately
from tests.gcp.standin.harness import Running
from tests.gcp.test_pinned_view import CROSTON
from tests.gcp.test_reconcile_machine import Cloud
from tests.waiting import until

ONCE = ("reconcile", "--once", "--yes")
SELDOM = "{forecast: '0 3 29 2 *', timezone: UTC}"  # no run is due while a test runs, but on a leap day at night


@pytest.fixture
def served(acme: Acme) -> Acme:
    """The project, whose forecast serves at a private endpoint."""
    acme.prepare(serve_privately)
    return acme


@pytest.fixture
def seldom(acme: Acme) -> Acme:
    """The same, and the next forecast is due in some years, whatever data comes in."""
    acme.prepare(serve_privately_and_seldom)
    return acme


def serve_privately_and_seldom(acme: Acme) -> None:
    acme.online(rollout=PRIVATE)
    acme.say(schedule=SELDOM)
    assert acme.run(*ONCE) == 0


def deployed(acme: Acme) -> str:
    """What serves alone at the endpoint: a version, and the digest of its container's data."""
    until(lambda: len(acme.endpoint().deployed_models) == 1)  # no pass waits until an old one is undeployed
    (found,) = acme.endpoint().deployed_models
    return str(found.display_name)


def calls(acme: Acme, name: str) -> int:
    """How often a method of Vertex AI was called so far."""
    return sum(count for method, count in acme.changed().items() if method.endswith(f".{name}"))


def reasons(acme: Acme, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The reasons of all events, newest first."""
    return [each["reason"] for each in acme.asked(capsys, "history", "demand")["events"]]


def test_in_a_dag_the_step_that_finishes_deploys_the_data_under_the_loop_s_account(served: Acme) -> None:
    before, after = deployed(served), {}
    served.data(sales(days=43))
    for step in PASS_STEPS:
        by = LOOP if step.acts else "demand-train"
        assert served.run("step", step.name, "--spec", "specs/demand.yaml", by=by) == 0, step.name
        after[step.name] = deployed(served)
    assert after.pop("finish") != before
    assert set(after.values()) == {before}
    refused = [each for each in served.standin.denied() if "demand-train" in each]
    assert [each for each in refused if "models.get" not in each] == []


def test_new_data_without_a_new_forecast_is_no_deployment_and_no_drift(
    seldom: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    before, uploads = deployed(seldom), calls(seldom, "UploadModel")
    for days in (43, 44):
        seldom.data(sales(days=days))
        for _ in range(2):
            assert seldom.run(*ONCE) == 0
    assert deployed(seldom) == before
    assert calls(seldom, "UploadModel") == uploads
    assert "DriftMended" not in reasons(seldom, capsys)


def test_a_new_forecast_is_told_as_a_deployment_of_its_data_and_not_as_drift(
    served: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    before = deployed(served)
    served.data(sales(days=43))
    assert served.run(*ONCE) == 0
    assert deployed(served) != before
    told = reasons(served, capsys)
    assert told.count("DataDeployed") == 1
    assert "DriftMended" not in told


def test_a_deployment_that_somebody_removed_comes_back_with_the_data_of_the_forecast(
    seldom: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    before = deployed(seldom)
    seldom.data(sales(days=43))
    assert seldom.run(*ONCE) == 0
    client, endpoint = platform.endpoints(), seldom.endpoint()
    client.update_endpoint(
        endpoint={"name": endpoint.name, "traffic_split": {}}, update_mask={"paths": ["traffic_split"]}
    )
    client.undeploy_model(endpoint=endpoint.name, deployed_model_id=endpoint.deployed_models[0].id).result()
    assert seldom.run(*ONCE) == 0
    assert deployed(seldom) == before
    assert reasons(seldom, capsys).count("DriftMended") == 1


def test_a_deployment_with_the_new_data_that_fails_is_tried_again(served: Acme) -> None:
    before = deployed(served)
    served.data(sales(days=43))
    served.standin.fault("DeployModel", code=403)
    assert served.run(*ONCE) != 0
    assert deployed(served) == before
    served.standin.calm()
    assert served.run("resume", "demand") == 0
    assert served.run(*ONCE) == 0
    assert deployed(served) != before


def test_no_pass_waits_until_the_new_data_is_deployed_and_none_deploys_it_again(
    served: Acme, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, deployments = deployed(served), calls(served, "DeployModel")
    monkeypatch.setenv("MLSPEC_FOLLOW", "0s")
    served.standin.set(clock="2026-03-02T06:00:00+00:00", durations={"DeployModel": 900.0})
    served.data(sales(days=43))
    until(lambda: served.run(*ONCE) == 0 and calls(served, "DeployModel") > deployments)  # it is registered before
    for _ in range(2):
        assert served.run(*ONCE) == 0
    assert calls(served, "DeployModel") == deployments + 1
    assert deployed(served) == before
    served.standin.set(clock="2026-03-02T06:15:00+00:00")
    assert served.run(*ONCE) == 0
    assert deployed(served) != before
    assert calls(served, "DeployModel") == deployments + 1
    assert reasons(served, capsys).count("DataDeployed") == 1
    assert served.run(*ONCE) == 0
    (status,) = served.asked(capsys, "status")["forecasts"]
    assert status["ready"]


class Panels(Turned):
    """Steps whose panel holds the data that was read."""

    def _file(self, request: StepRequest, role: str) -> Path:
        path = super()._file(request, role)
        if role == "panel":
            path.write_bytes((request.root / "data" / "sales.csv").read_bytes())
        return path


@pytest.fixture
def world(standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A world whose forecast serves at a private endpoint, and is made for each day's data."""
    monkeypatch.setenv("MLSPEC_IMAGE", "step")
    monkeypatch.setattr("mlspec.targets.gcp.data.bigquery.Warehouse.publish_forecast", lambda *_words: None)
    monkeypatch.setattr("mlspec.targets.gcp.monitoring.write_metrics", lambda *_words: None)
    platform.buckets(standin.project)
    platform.shell(standin.project, "demand")
    made = Cloud(tmp_path, standin.project, deployment={"serve": "both", "endpoint": {"access": "private"}})
    made.steps = Panels()
    return made


def at_the_endpoint(world: Cloud) -> list[str]:
    """What is deployed."""
    return sorted(each.display_name for each in platform.endpoint(world.project, "demand").deployed_models)


def deployed_alone(world: Cloud) -> str:
    """What is deployed, once an old deployment is gone."""
    until(lambda: len(at_the_endpoint(world)) == 1)
    return at_the_endpoint(world)[0]


def registered_versions(world: Cloud) -> set[tuple[str, str]]:
    """Each registered version, and the digest of its data."""
    name = f"{platform.place(world.project)}/models/mlspec-demand"
    models = platform.models().list_model_versions(name=name)
    return {(each.labels["mlspec-version"], each.labels["mlspec-data"]) for each in models}


def test_apply_deploys_the_data_of_a_forecast_that_an_earlier_version_makes(world: Cloud) -> None:
    (outcome,) = apply_specs(world.engine(), [world.spec])
    assert outcome.status == "applied"
    before = deployed_alone(world)
    world.new_data()
    world.steps.metrics["wape"] = 0.95  # the gate keeps the new version out
    (outcome,) = apply_specs(world.engine(), [world.spec])
    assert outcome.status == "kept-out"
    assert outcome.run is not None
    after = deployed_alone(world)
    assert after != before
    assert after.partition(" ")[0] == before.partition(" ")[0]
    (outcome,) = apply_specs(world.engine(), [world.spec])
    assert not outcome.recorded
    assert world.events().count("DataDeployed") == 1


def test_another_machine_brings_the_same_data_while_the_gate_keeps_a_version_out(world: Cloud) -> None:
    world.look()
    before, registered = deployed_alone(world), registered_versions(world)
    world.steps.metrics["wape"] = 0.95
    machine = {"type": "n2-standard-8", "min_replicas": 1, "max_replicas": 1}
    world.write(deployment={**world.spec.json["deployment"], "machine": machine}, model={"seed": 1})
    world.look()
    assert world.observed.find_fact("model", "state") == "rejected"
    assert deployed_alone(world) == before
    (deployed_model,) = platform.endpoint(world.project, "demand").deployed_models
    assert deployed_model.dedicated_resources.machine_spec.machine_type == "n2-standard-8"
    assert registered_versions(world) == registered
    assert world.look().status == "nothing"


def test_a_backfill_deploys_nothing(world: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    world.look()
    world.pass_time(days=5)
    world.new_data()
    world.look()
    routed: list[Any] = []
    monkeypatch.setattr(
        "mlspec.targets.gcp.vertex.routing.VertexServing.route_traffic", lambda *words: routed.append(words)
    )
    older = {"outputs": ("forecast",), "rows": 4, "cutoff": "2024-02-01", "start": "2024-02-02", "end": "2024-02-03"}
    monkeypatch.setattr(world.steps, "forecast", lambda _request: dict(older))
    facts = run_on_target(world.engine(), world.spec, "forecast", "2024-03-02T00:00:00Z")
    assert facts["backfilled"], facts
    assert routed == []


def test_each_step_of_a_rollout_brings_the_data_of_its_forecast(world: Cloud) -> None:
    world.look()
    world.well(world.serves)
    world.look()
    steps = {"serve": "both", "endpoint": {"access": "private"}, "rollout": CANARY["rollout"]}
    world.write(deployment=steps, model={"seed": 1})
    world.look()
    rollout = world.ledger.rollout
    assert rollout
    for share in (50, 100):
        world.new_data()
        world.well(rollout.version)
        world.look()
        assert world.traffic[rollout.version] == share
        until(lambda: len(at_the_endpoint(world)) == len(world.traffic))
        assert len({name.partition(" ")[2] for name in at_the_endpoint(world)}) == 1
        assert world.look().actions == []
    assert "DriftMended" not in world.events()


def test_a_dag_run_and_a_pass_end_with_the_same_deployment(world: Cloud) -> None:
    world.look()
    before = at_the_endpoint(world)
    world.pass_time(days=1)
    world.new_data()
    assert play(world).is_green
    until(lambda: len(at_the_endpoint(world)) == 1)
    after = at_the_endpoint(world)
    assert after != before
    assert not world.look().actions
    assert at_the_endpoint(world) == after


def test_the_function_moves_traffic_to_what_is_registered_and_the_loop_brings_the_data(world: Cloud) -> None:
    """The function deploys, and registers nothing."""
    first, second = with_two_versions(world)
    world.new_data()
    world.look()
    world.bad(second)
    world.new_data()
    for step in ("check", "evaluate"):
        run_on_target(world.engine(), world.spec, step, format_moment(world.now))
    registered = registered_versions(world)
    function = GcpTarget(GcpLocation("dev", world.project, platform.REGION), world.root / "function", registers=False)
    found = handle_alert(function, "demand", lambda: format_moment(world.now))
    assert found.actions, found
    assert registered_versions(world) == registered
    assert world.traffic == {first: 100}
    old = deployed_alone(world)
    world.look()
    new = deployed_alone(world)
    assert new.partition(" ")[0] == old.partition(" ")[0] == first
    assert new != old


def test_a_version_that_the_function_finds_not_registered_is_left_to_the_loop(world: Cloud) -> None:
    first, second = with_two_versions(world)
    world.bad(second)
    run_on_target(world.engine(), world.spec, "evaluate", format_moment(world.now))
    name = f"{platform.place(world.project)}/models/mlspec-demand"
    for model in platform.models().list_model_versions(name=name):
        if model.labels["mlspec-version"] == first:
            platform.models().delete_model_version(name=f"{name}@{model.version_id}").result()
    function = GcpTarget(GcpLocation("dev", world.project, platform.REGION), world.root / "function", registers=False)
    found = handle_alert(function, "demand", lambda: format_moment(world.now))
    assert found.error
    assert "is not registered, and this process registers nothing" in found.error.message
    assert world.traffic == {second: 100}
    world.look()
    assert world.traffic == {first: 100}


def test_the_loop_takes_no_older_data_for_an_upload_that_is_denied(
    served: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    before = deployed(served)
    served.data(sales(days=43))
    served.standin.fault("UploadModel", code=403, count=99)
    assert served.run(*ONCE) != 0
    assert deployed(served) == before
    assert "StepFailed" in reasons(served, capsys)
    served.standin.calm()
    assert served.run("resume", "demand") == 0
    assert served.run(*ONCE) == 0
    assert deployed(served) != before


def registered(acme: Acme) -> list[str]:
    """What is registered with data of its own, the oldest first, in the words of a deployment's name."""
    return [f"{each.labels['mlspec-version']} {each.labels['mlspec-data']}" for each in acme.versions()]


def copies(acme: Acme) -> set[str]:
    """The same of the folders of files that versions were registered from."""
    names = [name.split("/") for name in acme.objects("models")]
    return {f"{name[2]} {name[3]}" for name in names if name[:2] == ["demand", "versions"]}


def pruned(acme: Acme, *usable: str) -> None:
    """Prune as the loop does, with what `prune_models` grants to it."""
    project, loop = acme.project, f"serviceAccount:{acme.account(LOOP)}"
    acme.standin.grant(f"projects/{project}", f"projects/{project}/roles/mlspecModelRemover", loop)
    acme.standin.grant(f"buckets/{project}-mlspec-models", f"projects/{project}/roles/mlspecFilePruner", loop)
    target = GcpTarget(GcpLocation("dev", project, platform.REGION), acme.root / "loop")
    at = "2026-01-01T00:00:00Z"
    with acme.standin.acting_as(acme.account(LOOP)), target.lock_forecast("demand", "prune", at, 0.0):
        target.prune_records(Pruning("demand", rows={"steps": (("check", "old"),)}, usable=frozenset(usable)), at)


def test_a_prune_removes_what_was_registered_with_data_that_nothing_needs(served: Acme) -> None:
    for days in (43, 44):
        served.data(sales(days=days))
        assert served.run(*ONCE) == 0
    serving = deployed(served)
    version = serving.partition(" ")[0]
    assert len(registered(served)) == len(copies(served)) == 3
    pruned(served, version)
    until(lambda: registered(served) == [serving])  # no prune waits for a deletion
    assert copies(served) == {serving}
    assert deployed(served) == serving
    served.data(sales(days=45))
    assert served.run(*ONCE) == 0
    assert deployed(served) != serving


def test_a_prune_says_before_how_many_registered_versions_go(served: Acme) -> None:
    for days in (43, 44):
        served.data(sales(days=days))
        assert served.run(*ONCE) == 0
    target = GcpTarget(GcpLocation("dev", served.project, platform.REGION), served.root / "look")
    usable = frozenset({deployed(served).partition(" ")[0]})
    rows = {"steps": (("check", "old"),)}
    assert target.measure_registered("demand", Pruning("demand", rows=rows, usable=usable)) == RegisteredCounts(2, 1)
    assert target.measure_registered("demand", Pruning("demand", usable=usable)) == RegisteredCounts(0, 3)
    before = registered(served)
    (served.root / "mlspec.yaml").write_text(
        (served.root / "mlspec.yaml").read_text() + "retention: {releases: 1, runs: 7d, events: 30d}\n"
    )
    assert served.run("prune", "--dry-run") == 0
    assert registered(served) == before
    pruned(served, *usable)
    until(lambda: len(registered(served)) == 1)


def test_a_prune_keeps_what_a_rollback_needs_and_removes_it_with_its_version(served: Acme) -> None:
    served.data(sales(days=43))
    assert served.run(*ONCE) == 0
    good = deployed(served)
    served.say(model=CROSTON)
    assert served.run(*ONCE) == 0
    serving = deployed(served)
    versions = [name.partition(" ")[0] for name in (good, serving)]
    pruned(served, *versions)
    assert registered(served) == [good, serving]
    assert copies(served) == {good, serving}
    pruned(served, versions[1])
    until(lambda: registered(served) == [serving])
    assert copies(served) == {serving}


def test_a_prune_leaves_copies_alone_while_work_runs(served: Acme) -> None:
    served.data(sales(days=43))
    assert served.run(*ONCE) == 0
    before = copies(served)
    target = GcpTarget(GcpLocation("dev", served.project, platform.REGION), served.root / "far")
    started = StartedWork("upload", "name", "mark", "what", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "")
    ledger = replace(target.observe_forecast("demand").ledger, under_way=(started,))
    target.record_settlement(Settlement("demand", ledger=ledger), "2026-01-01T00:00:00Z")
    pruned(served, deployed(served).partition(" ")[0])
    assert copies(served) == before
