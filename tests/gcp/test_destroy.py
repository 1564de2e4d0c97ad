"""`mlspec destroy --target prod`: what engine and terraform made, what specs shared, history; nothing of anybody else's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from mlspec.engine.infrastructure import Infrastructure
from mlspec.errors import Terminated
from mlspec.spec.gcp.location import GcpLocation
from mlspec.state.start_mark import NEW_MARK
from mlspec.targets.gcp.target import GcpTarget
from mlspec.targets.gcp.terraform.runner import TerraformCli
from tests.examples import project, spec_text
from tests.gcp import platform
from tests.gcp.platform import REGION
from tests.gcp.standin.harness import Running
from tests.terraform.provider.cloud import Cloud, Fault

ONLINE = "deployment: {serve: both}\n"
SHARED = "notify: [{pubsub: shared-alerts}]\n"
DESTROY = ("destroy", "--target", "prod")


@pytest.fixture
def new(terraform_too: Cloud, standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two forecasts, of which nothing is applied; one serves online too, and both tell the same topic."""
    platform.buckets(standin.project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    specs = {"demand": spec_text("demand") + ONLINE + SHARED, "returns": spec_text("returns") + SHARED}
    folder = project(tmp_path / "acme", **specs)
    target = f"{{type: gcp, project: {standin.project}, region: {REGION}}}"
    (folder / "mlspec.yaml").write_text(
        f"apiVersion: mlspec/v1\nkind: Project\nname: acme\ntargets: {{prod: {target}}}\n"
    )
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def root(new: Path) -> Path:
    """Two forecasts that were applied."""
    assert front.run(["apply", "--target", "prod", "--yes"]) == 0
    return new


def resources(standin: Running, name: str) -> list[Any]:
    """What terraform's state in the bucket holds of a folder."""
    bucket = platform.storage(standin.project).bucket(platform.bucket(standin.project, "state"))
    found: list[Any] = json.loads(bucket.blob(f"terraform/{name}/default.tfstate").download_as_bytes())["resources"]
    return [each for each in found if each["mode"] == "managed"]


def test_what_terraform_made_goes_too_and_another_forecast_stays_as_it_is(
    root: Path, standin: Running, terraform_too: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {found.id for found in terraform_too.resources()}
    assert front.run([*DESTROY, "demand"]) == 1
    said = capsys.readouterr().err
    assert "  - google_vertex_ai_endpoint.this: what is deployed there stops" in said
    assert "deployment and forecast of demand, with everything listed above would be destroyed" in said
    assert {found.id for found in terraform_too.resources()} == before
    assert front.run([*DESTROY, "demand", "--yes"]) == 0
    assert "demand: destroyed; history is kept" in capsys.readouterr().out
    gone = before - {found.id for found in terraform_too.resources()}
    assert gone
    assert not [each for each in gone if "returns" in each or "shared-alerts" in each]
    assert resources(standin, "demand") == []
    assert list(platform.endpoints().list_endpoints(parent=platform.place(standin.project))) == []
    assert front.run(["plan", "specs/returns.yaml", "--target", "prod", "--detailed-exitcode"]) == 0
    capsys.readouterr()
    assert front.run(["history", "demand", "--target", "prod", "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["releases"]
    assert front.run([*DESTROY, "demand", "--yes"]) == 0
    assert "demand: there is nothing to destroy; its history is kept" in capsys.readouterr().out


def test_an_endpoint_that_is_made_again_has_another_name_after_batch_and_after_destroy(
    new: Path, standin: Running
) -> None:
    """Google keeps the old name reserved for a week."""
    apply = ["apply", "specs/demand.yaml", "--target", "prod", "--yes"]
    online, batch = spec_text("demand") + ONLINE + SHARED, spec_text("demand") + SHARED

    def endpoints() -> list[Any]:
        return list(platform.endpoints().list_endpoints(parent=platform.place(standin.project)))

    assert front.run(apply) == 0
    (first,) = endpoints()
    (new / "specs" / "demand.yaml").write_text(batch)
    assert front.run(apply) == 0
    assert endpoints() == []
    (new / "specs" / "demand.yaml").write_text(online)
    assert front.run(apply) == 0
    (second,) = endpoints()
    assert front.run([*DESTROY, "demand", "--yes"]) == 0
    assert front.run(apply) == 0
    (third,) = endpoints()
    assert len({first.name, second.name, third.name}) == 3
    assert sum(third.traffic_split.values()) == 100


def test_one_that_terraform_cannot_take_down_holds_up_no_other_and_is_gone_on_with(
    root: Path, standin: Running, terraform_too: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    terraform_too.fail(Fault("google_bigquery_table", "delete", "Error 503: later", id=".*demand.*"))
    assert front.run([*DESTROY, "demand", "returns", "--purge", "--yes"]) == 4
    said = capsys.readouterr()
    assert "Error 503: later" in said.err
    assert "Traceback" not in said.err
    assert resources(standin, "returns") == []
    assert terraform_too.get("google_pubsub_topic", "shared-alerts")
    # What stands of a forecast whose spec is gone, its newest release says.
    (root / "specs" / "demand.yaml").unlink()
    (root / "specs" / "returns.yaml").unlink()
    assert front.run([*DESTROY, "demand", "returns", "--purge", "--yes"]) == 0
    nothing_is_left(standin, terraform_too)


def test_a_purge_that_ends_at_any_moment_is_finished_by_the_next(
    root: Path, standin: Running, terraform_too: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    purge = [*DESTROY, "demand", "returns", "--purge", "--yes"]
    target = GcpTarget(GcpLocation("prod", standin.project, REGION), root / "copies")
    assert target.start_marks.write_mark("demand", "a-message-about-an-alert", started=True, over=NEW_MARK)
    state = platform.storage(standin.project).bucket(platform.bucket(standin.project, "state"))
    state.blob("forecasts/demand/unfinished/check/key/part.kept").upload_from_string("of a step that was killed")
    ends_before(monkeypatch, TerraformCli, "destroy", lambda *_words, **_more: True)
    assert front.run(purge) == 4
    ends_before(monkeypatch, Infrastructure, "destroy_resources", lambda _self, name, _found: name == "_project")
    assert front.run(purge) == 4
    ends_before(monkeypatch, GcpTarget, "remove_forecast", lambda *_words, purge, **_more: purge)
    assert front.run(purge) == 4
    assert front.run(purge) == 0
    nothing_is_left(standin, terraform_too)


def ends_before(monkeypatch: pytest.MonkeyPatch, kind: type[Any], name: str, due: Callable[..., bool]) -> None:
    """Let a run be told to end just before it does this, once."""
    real = getattr(kind, name)

    def ends(*words: Any, **more: Any) -> Any:
        if not due(*words, **more):
            return real(*words, **more)
        monkeypatch.setattr(kind, name, real)
        raise Terminated

    monkeypatch.setattr(kind, name, ends)


def nothing_is_left(standin: Running, cloud: Cloud) -> None:
    """No resource, no model, no file, no record: the state's identity, and terraform's own states, which hold nothing."""
    assert cloud.resources() == []
    assert platform.models_of(standin.project) == []
    stored = {
        role: [
            each.name for each in platform.storage(standin.project).list_blobs(platform.bucket(standin.project, role))
        ]
        for role in ("models", "state")
    }
    names = ("_project", "demand", "returns")
    assert stored["models"] == []
    assert sorted(stored["state"]) == ["lineage", *(f"terraform/{name}/default.tfstate" for name in names)]
    assert [resources(standin, name) for name in names] == [[], [], []]
