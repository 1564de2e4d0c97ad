"""Stories of the loop, told on Google Cloud: what is decided is what the endpoint does, in rollout, rollback and drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlspec.engine.loop import follow_work, reconcile_specs
from mlspec.engine.manual_operations import roll_back
from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.gcp.target import GcpTarget
from tests.engine.steps import engine, spec
from tests.engine.world import World, with_two_versions
from tests.gcp import platform
from tests.gcp.standin.harness import Running
from tests.stores import Home

ONLINE = {"serve": "both", "rollout": {"strategy": "all-at-once", "steps": [10, 50, 100], "interval": "1h"}}
CANARY = {"serve": "both", "rollout": {"strategy": "canary", "steps": [10, 50, 100], "interval": "1h"}}


class Cloud(World):
    """A world whose target is on Google Cloud; steps are quick, and their forecasts are no tables for BigQuery."""

    def __init__(self, folder: Path, project: str, **parts: Any) -> None:
        self.project = project
        super().__init__(folder, Home(None), **parts)

    def engine(self, code: str = "0.1.0") -> Any:
        found = engine(self.root, self.steps, code, super().engine(code).clock())
        return type(found)(
            self.target, found.steps, found.root, found.clock, found.code, found.libraries, found.tell, found.mlspec
        )

    def look(self, *others: Any, code: str = "0.1.0") -> Any:
        """Make a pass, and those that go on with what it started; return what the last one did."""
        found, specs = super().look(*others, code=code), [self.spec, *others]
        for passed in follow_work(self.engine(code), specs, [found], 60):
            found = next((each for each in passed if each.forecast == found.forecast), found)
        return found

    @property
    def target(self) -> Any:
        return GcpTarget(GcpLocation("dev", self.project, platform.REGION), self.root / "cache")

    @property
    def at_the_endpoint(self) -> dict[str, int]:
        """Each version's share, as Vertex AI says it."""
        found = platform.endpoint(self.project, "demand")
        assert {each.display_name for each in found.deployed_models} == set(self.traffic)
        named = {each.id: each.display_name for each in found.deployed_models}
        return {named[key]: share for key, share in found.traffic_split.items()}


@pytest.fixture
def world(standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    monkeypatch.setenv("MLSPEC_IMAGE", "step")
    monkeypatch.setattr("mlspec.targets.gcp.data.bigquery.Warehouse.publish_forecast", lambda *_words: None)
    monkeypatch.setattr(
        "mlspec.targets.gcp.monitoring.write_metrics", lambda *_words: None
    )  # it refuses points of another year
    platform.buckets(standin.project)
    platform.shell(standin.project, "demand")
    return Cloud(tmp_path, standin.project, deployment=ONLINE)


def test_a_bad_version_gives_way_and_the_endpoint_follows(world: Cloud) -> None:
    first, second = with_two_versions(world)
    assert world.at_the_endpoint == {second: 100}
    world.bad(second)
    world.look()
    assert world.traffic == world.at_the_endpoint == {first: 100}
    assert world.ledger.quarantined_versions == {second}
    world.look()
    assert world.at_the_endpoint == {first: 100}


def test_a_canary_takes_its_steps_at_the_endpoint_and_gives_back_what_it_had(world: Cloud) -> None:
    world.write(deployment=CANARY)
    world.look()
    first = world.serves
    world.well(first)
    world.look()
    world.write(deployment=CANARY, model={"seed": 1})
    world.look()
    rollout = world.ledger.rollout
    assert rollout
    second = rollout.version
    assert world.at_the_endpoint == {first: 90, second: 10}
    world.well(second)
    world.look()
    assert world.at_the_endpoint == world.traffic == {first: 50, second: 50}
    world.bad(second)
    world.look()
    assert world.at_the_endpoint == world.traffic == {first: 100}
    assert world.ledger.quarantined_versions == {second}


def test_without_a_good_version_the_fallback_serves_at_the_endpoint_too(world: Cloud) -> None:
    world.look()
    first = world.serves
    world.bad(first)
    world.look()
    assert world.serves != first
    assert world.at_the_endpoint == {world.serves: 100}


def test_a_person_s_rollback_is_held_at_the_endpoint(world: Cloud) -> None:
    first, second = with_two_versions(world)
    said = roll_back(world.engine(), world.spec, None, "ana", "looks wrong")
    assert f"{second} was replaced by {first}" in said
    assert world.at_the_endpoint == {first: 100}
    world.look()
    assert world.at_the_endpoint == {first: 100}


def test_a_version_that_somebody_took_out_of_the_registry_or_off_the_endpoint_comes_back(world: Cloud) -> None:
    world.look()
    version = world.serves
    name = f"{platform.place(world.project)}/endpoints/"
    (endpoint,) = platform.endpoints().list_endpoints(parent=platform.place(world.project))
    client = platform.endpoints()
    client.undeploy_model(endpoint=endpoint.name, deployed_model_id=endpoint.deployed_models[0].id).result()
    assert endpoint.name.startswith(name)
    world.look()
    assert world.at_the_endpoint == {version: 100}
    assert "DriftMended" in world.events()
    assert len(world.target.load_releases("demand")) == 1


def test_nothing_that_mlspec_did_not_make_is_touched(world: Cloud) -> None:
    models, place = platform.models(), platform.place(world.project)
    theirs = {"display_name": "theirs", "container_spec": {"image_uri": "theirs"}}
    models.upload_model(request={"parent": place, "model": theirs, "model_id": "mlspec-demand"}).result()
    found = world.look()
    assert found.error
    assert "was not made by mlspec" in found.error.message
    (kept,) = models.list_models(parent=place)
    assert kept.display_name == "theirs"
    assert list(models.list_model_versions(name=kept.name)) == [kept]


def test_a_pass_with_nothing_to_do_asks_google_no_more_for_many_forecasts_than_for_few(
    world: Cloud, standin: Running
) -> None:
    """The bar is 40 calls for 1,000 forecasts: what grows with their number is pages of a thousand, and of a hundred models."""
    calls = []
    others: list[Any] = []
    for count in (9, 13):
        others += [spec(f"f{number:02}", alerts=[]) for number in range(len(others), count)]
        for each in others:
            reconcile_specs(world.engine(), [each])
        world.look(*others)
        before = len(standin.calls())
        assert {each.status for each in reconcile_specs(world.engine(), [world.spec, *others])} == {"nothing"}
        calls.append(len(standin.calls()) - before)
    assert calls[1] <= calls[0] <= 40


def test_a_forecast_that_serves_online_no_more_leaves_its_endpoint_empty(world: Cloud) -> None:
    world.look()
    assert world.at_the_endpoint == {world.serves: 100}
    world.write(deployment={**ONLINE, "serve": "batch"})
    world.look()
    (endpoint,) = platform.endpoints().list_endpoints(parent=platform.place(world.project))
    assert list(endpoint.deployed_models) == []
    assert dict(endpoint.traffic_split) == {}
