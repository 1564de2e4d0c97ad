"""What a version is served on: another machine is another deployment, more replicas are not, and what strays is put back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.observed import Settlement
from mlspec.targets.gcp.target import GcpTarget
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.waiting import until

ONCE = ("reconcile", "--once")
SMALL = "{type: n2-standard-2, min_replicas: 1, max_replicas: 1}"
LARGE = "{type: n2-standard-8, min_replicas: 1, max_replicas: 1}"
MANY = "{type: n2-standard-2, min_replicas: 2, max_replicas: 5}"


@pytest.fixture
def served(acme: Acme) -> Acme:
    """The project, with its forecast served on a small machine."""
    acme.prepare(serve_on_a_small_machine)
    return acme


def serve_on_a_small_machine(acme: Acme) -> None:
    acme.online()
    acme.serve(machine=SMALL)
    assert acme.run(*ONCE) == 0


def standing(acme: Acme) -> list[tuple[str, str, int, int]]:
    """Each deployment: its version, its machine, its replicas."""
    found = []
    for each in acme.endpoint().deployed_models:
        on = each.dedicated_resources
        found.append((each.display_name, on.machine_spec.machine_type, on.min_replica_count, on.max_replica_count))
    return found


def methods(acme: Acme) -> list[str]:
    """The calls so far that changed the endpoint, in order."""
    names = (call["method"].rpartition(".")[2] for call in acme.standin.calls() if call["mutating"])
    return [name for name in names if name in {"DeployModel", "UpdateEndpoint", "UndeployModel", "MutateDeployedModel"}]


def releases(acme: Acme, capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return list(acme.asked(capsys, "history", "demand")["releases"])


def test_another_machine_takes_over_the_same_version_before_the_old_one_goes(
    served: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    ((version, *_),) = standing(served)
    before = len(methods(served))
    served.serve(machine=LARGE)
    assert served.run(*ONCE) == 0
    assert standing(served) == [(version, "n2-standard-8", 1, 1)]
    assert served.traffic() == {version: 100}
    assert methods(served)[before:] == ["DeployModel", "UpdateEndpoint", "UndeployModel"]
    assert [each["version"] for each in releases(served, capsys)] == [version, version]
    calls = served.changed()
    assert served.run(*ONCE) == 0
    assert served.changed() == calls


def test_replicas_change_in_place(served: Acme) -> None:
    ((version, *_),) = standing(served)
    before = len(methods(served))
    served.serve(machine=MANY)
    assert served.run(*ONCE) == 0
    assert standing(served) == [(version, "n2-standard-2", 2, 5)]
    assert methods(served)[before:] == ["MutateDeployedModel"]


KEPT_OUT = (
    "{horizon: 2, candidates: [{kind: seasonal-naive, season: 7}], backtest: {windows: 2, step: 2}, "
    "gate: [{metric: wape, below: 0.0001}]}"
)


def test_what_serves_gets_its_present_deployment_while_the_gate_keeps_a_version_out(
    served: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    ((version, *_),) = standing(served)
    served.say(model=KEPT_OUT)
    served.serve(machine=MANY)
    assert served.run(*ONCE) == 0
    assert "GateClosed" in {each["reason"] for each in served.asked(capsys, "history", "demand")["events"]}
    assert standing(served) == [(version, "n2-standard-2", 2, 5)]
    served.serve(machine=LARGE)
    assert served.run(*ONCE) == 0
    assert standing(served) == [(version, "n2-standard-8", 1, 1)]
    served.say(deployment="{serve: batch}")
    assert served.run(*ONCE) == 0
    assert standing(served) == []
    before = len(methods(served))
    served.serve(machine=SMALL)
    assert served.run(*ONCE) == 0
    assert standing(served) == [(version, "n2-standard-2", 1, 1)]
    assert served.traffic() == {version: 100}
    assert methods(served)[before:] == ["DeployModel", "UpdateEndpoint"]
    assert [each["version"] for each in releases(served, capsys)] == [version] * 5
    assert len(served.versions()) == 1
    calls = served.changed()
    assert served.run(*ONCE) == 0
    assert served.changed() == calls


def test_replicas_that_somebody_changed_are_put_back_and_said(served: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    (deployed,) = served.endpoint().deployed_models
    deployed.dedicated_resources.max_replica_count = 9
    platform.endpoints().mutate_deployed_model(
        endpoint=served.endpoint().name, deployed_model=deployed,
        update_mask={"paths": ["dedicated_resources.max_replica_count"]},
    ).result()  # fmt: skip
    assert served.run(*ONCE) == 0
    assert standing(served)[0][2:] == (1, 1)
    (said,) = [
        each["message"]
        for each in served.asked(capsys, "history", "demand")["events"]
        if each["reason"] == "DriftMended"
    ]
    assert said.endswith("has 1 to 9 replicas, not 1 to 1; restored")
    assert len(releases(served, capsys)) == 1


def test_a_deployment_that_somebody_put_on_another_machine_gives_way(served: Acme) -> None:
    """As by hand in the console: the version deployed anew on a larger machine, the old deployment taken down."""
    client, endpoint = platform.endpoints(), served.endpoint()
    (old,) = endpoint.deployed_models
    theirs = {
        "id": "77", "model": served.versions()[0].name, "display_name": old.display_name,
        "dedicated_resources": {"machine_spec": {"machine_type": "n2-standard-32"}, "min_replica_count": 1},
    }  # fmt: skip
    client.deploy_model(endpoint=endpoint.name, deployed_model=theirs, traffic_split={"0": 100, old.id: 0}).result()
    client.undeploy_model(endpoint=endpoint.name, deployed_model_id=old.id).result()
    assert served.run(*ONCE) == 0
    assert (old.display_name, "n2-standard-2", 1, 1) in standing(served)
    assert dict(served.endpoint().traffic_split)[old.id] == 100


@pytest.mark.parametrize("method", ["DeployModel", "UpdateEndpoint", "UndeployModel"])
def test_a_move_to_another_machine_that_breaks_off_is_gone_on_with(served: Acme, method: str) -> None:
    ((version, *_),) = standing(served)
    served.serve(machine=LARGE)
    served.standin.fault(method, code=403)
    assert served.run(*ONCE) != 0
    assert served.traffic() == {version: 100}
    assert served.run("resume", "demand") == 0
    assert served.run(*ONCE) == 0
    assert standing(served) == [(version, "n2-standard-8", 1, 1)]
    assert served.traffic() == {version: 100}


def test_a_call_that_goes_wrong_once_while_everything_is_taken_down_is_made_again(served: Acme) -> None:
    served.standin.fault("UpdateEndpoint", code=504, count=1)
    served.say(deployment="{serve: batch}")
    assert served.run(*ONCE) == 0
    assert served.traffic() == {}
    assert list(served.endpoint().deployed_models) == []


@pytest.fixture
def slowly(served: Acme, monkeypatch: pytest.MonkeyPatch) -> Acme:
    """The served project, where a deployment takes 15 minutes of the cloud's clock, and no pass follows what it started."""
    monkeypatch.setenv("MLSPEC_FOLLOW", "0s")
    served.standin.set(clock="2026-03-02T06:00:00+00:00", durations={"DeployModel": 900.0})
    served.serve(machine=LARGE)
    return served


def test_no_pass_waits_for_a_deployment_and_traffic_stays_until_it_is_there(
    slowly: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    ((version, *_),) = standing(slowly)
    before = len(methods(slowly))
    for _ in range(2):
        assert slowly.run(*ONCE) == 0
        assert methods(slowly)[before:] == ["DeployModel"]
        assert slowly.traffic() == {version: 100}
    (status,) = slowly.asked(capsys, "status")["forecasts"]
    assert status["ready"]
    assert f"waiting for deploy {version}" in next(
        each["message"] for each in status["conditions"] if each["type"] == "Progressing"
    )
    slowly.standin.set(clock="2026-03-02T06:15:00+00:00")
    assert slowly.run(*ONCE) == 0
    assert standing(slowly) == [(version, "n2-standard-8", 1, 1)]
    assert methods(slowly)[before:] == ["DeployModel", "UpdateEndpoint", "UndeployModel"]


def test_a_deployment_whose_answer_was_lost_and_whose_record_too_is_not_started_again(slowly: Acme) -> None:
    before = len(methods(slowly))
    slowly.standin.fault("DeployModel", lost=True, count=1)
    assert slowly.run(*ONCE) == 0
    target = GcpTarget(GcpLocation("dev", slowly.project, platform.REGION), slowly.root / "far")
    ledger = target.observe_forecast("demand").ledger
    assert [each.kind for each in ledger.under_way] == ["deployment"]
    lost = Settlement("demand", ledger=replace(ledger, under_way=()))
    target.record_settlement(lost, "2024-03-01T00:00:00Z")
    assert slowly.run(*ONCE) == 0
    assert methods(slowly)[before:] == ["DeployModel"]
    assert target.observe_forecast("demand").ledger.under_way[0].name == ledger.under_way[0].name


def test_what_is_being_undeployed_gets_no_traffic_and_its_end_is_not_taken_for_a_deployment(slowly: Acme) -> None:
    """From the small machine to the large one and back, while the small one is still being undeployed."""
    slowly.standin.set(durations={"UndeployModel": 1800.0})
    ((version, *_),) = standing(slowly)
    for _ in range(2):
        assert slowly.run(*ONCE) == 0
    assert len(standing(slowly)) == 2
    before = len(methods(slowly))
    slowly.serve(machine=SMALL)
    assert slowly.run(*ONCE) == 0
    assert methods(slowly)[before:] == []
    for minute in ("31", "33", "35"):
        slowly.standin.set(clock=f"2026-03-02T06:{minute}:00+00:00")
        assert slowly.run(*ONCE) == 0
    assert slowly.traffic() == {version: 100}
    assert methods(slowly)[before:] == ["DeployModel", "UpdateEndpoint", "UndeployModel"]
    assert (version, "n2-standard-2", 1, 1) in standing(slowly)


def test_a_deployment_of_mlspec_that_is_not_wanted_any_more_is_taken_off(served: Acme) -> None:
    """As one whose undeployment Vertex AI gave up."""
    ((version, *_),) = standing(served)
    (old,) = served.endpoint().deployed_models
    served.serve(machine=LARGE)
    assert served.run(*ONCE) == 0
    left = {"id": old.id, "model": old.model, "display_name": version, "dedicated_resources": old.dedicated_resources}
    platform.endpoints().deploy_model(endpoint=served.endpoint().name, deployed_model=left).result()
    assert len(standing(served)) == 2
    assert served.run(*ONCE) == 0
    until(lambda: standing(served) == [(version, "n2-standard-8", 1, 1)])


def test_a_build_undeploys_what_terraform_is_about_to_remove(served: Acme) -> None:
    target = GcpTarget(GcpLocation("dev", served.project, platform.REGION), served.root / "far")
    with served.standin.acting_as(served.account("mlspec-build")):
        target.undeploy_endpoint("demand")
    assert standing(served) == []
