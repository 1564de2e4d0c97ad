"""A project of the release before, under the mlspec of now: an upgrade changes nothing by itself."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest

from mlspec import clock, jobs
from mlspec.cli import target
from mlspec.engine import assembly
from mlspec.engine.traffic_history import complete_ledger
from mlspec.state.ledger import Ledger
from mlspec.state.observed import Observed
from mlspec.state.step import Progress, StepRequest
from tests.cli.test_session import Mlspec
from tests.spec.later import speak
from tests.stores import recorded, target_at
from tests.upgrade.make_project import LEFT_AT, NAMES

PROJECTS = sorted(Path(__file__).parent.glob("project-*.zip"))


def no_step(request: StepRequest, progress: Progress) -> NoReturn:
    pytest.fail(f"{request.step} was run because mlspec was upgraded")


@pytest.fixture(params=PROJECTS, ids=[path.stem for path in PROJECTS])
def left(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as a release before left it, at the moment when it did. Every step that is run fails the test.

    What shapes models is as it was then: where a release changes that, it raises CODE_VERSION, and trains (`test_lineage.py`).
    """
    zipfile.ZipFile(request.param).extractall(tmp_path)
    moment = datetime.fromisoformat(LEFT_AT)
    for module in (clock, target):
        monkeypatch.setattr(module, "utc_now", lambda: moment)
    monkeypatch.setattr(jobs, "run", no_step)
    monkeypatch.setattr(assembly, "CODE_VERSION", "0.1.0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mlspec(left: Path, capsys: pytest.CaptureFixture[str]) -> Mlspec:
    """Run a command there."""
    from mlspec.cli import main
    from tests.cli.test_session import Said

    def run(*words: str) -> Said:
        code = main.run(list(words))
        return Said(code, *capsys.readouterr())

    return run


def ledger(root: Path, name: str) -> Ledger:
    return seen(root, name).ledger


def seen(root: Path, name: str) -> Observed:
    return target_at(root).observe_forecast(name)


@pytest.fixture(params=["the mlspec of now", "a later one, with more keys"])
def upgraded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mlspec that finds the project: this one, or one of a later release whose language has keys that this one lacks."""
    if request.param != "the mlspec of now":
        speak(monkeypatch)
        monkeypatch.setattr(assembly, "__version__", "9.9.9")


@pytest.mark.usefixtures("upgraded")
def test_after_an_upgrade_there_is_nothing_to_do(left: Path, mlspec: Mlspec) -> None:
    before = recorded(left)
    files = {path: path.read_bytes() for path in left.rglob("*") if path.is_file()}
    assert len(target_at(left).forecast_names()) == 20

    said = mlspec("plan", "--detailed-exitcode", "--output", "json")
    assert (said.code, said.err) == (0, "")
    assert {change["action"] for change in json.loads(said.out)["changes"]} == {"none"}
    assert mlspec("plan", "--select", "demand-*").out.startswith("Nothing to do: everything is up to date.\n")
    said = mlspec("reconcile", "--once")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith("20 forecasts are up to date\n")
    assert mlspec("apply").out.count("nothing to do") == 19  # and one that the gate keeps out

    assert recorded(left) == before
    assert {path: path.read_bytes() for path in left.rglob("*") if path.is_file()} == files


@pytest.mark.usefixtures("upgraded")
def test_what_people_and_the_loop_decided_still_binds(left: Path, mlspec: Mlspec) -> None:
    mlspec("reconcile", "--once")
    hold = ledger(left, "held").hold
    assert hold is not None
    assert seen(left, "held").find_fact("deployment", "version") == hold.version
    rollout = ledger(left, "canary").rollout
    assert rollout is not None
    assert seen(left, "canary").find_fact("deployment", "traffic") == {rollout.stable_version: 90, rollout.version: 10}
    (bad,) = ledger(left, "quarantined").quarantined
    assert seen(left, "quarantined").find_fact("model", "version") == bad.version
    assert seen(left, "quarantined").find_fact("deployment", "version") != bad.version
    assert seen(left, "kept-out").find_fact("model", "state") == "rejected"


@pytest.mark.usefixtures("upgraded")
def test_a_spec_that_is_set_back_after_an_upgrade_finds_the_versions_that_were_judged_before_it(
    left: Path, mlspec: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = target_at(left).load_versions("quarantined")
    monkeypatch.setattr(assembly, "model_libraries", lambda: versions[0].lineage["libraries"])
    serves = seen(left, "quarantined").find_fact("deployment", "version")
    (bad,) = ledger(left, "quarantined").quarantined
    spec = left / "specs/quarantined.yaml"
    tried = spec.read_text()
    for text, judged in ((tried.replace("  seed: 1\n", ""), serves), (tried, bad.version)):
        spec.write_text(text)
        assert mlspec("reconcile", "--once").code == 0
        assert seen(left, "quarantined").find_fact("model", "version") == judged
        assert seen(left, "quarantined").find_fact("deployment", "version") == serves
    assert target_at(left).load_versions("quarantined") == versions


def test_a_spec_that_is_changed_after_an_upgrade_differs_by_what_was_changed(left: Path, mlspec: Mlspec) -> None:
    spec = left / "specs/demand-01.yaml"
    spec.write_text(spec.read_text() + "metadata: {owner: stock@example.com}\n")
    spec.write_text(
        spec.read_text().replace("metadata: {name: demand-01}\n", "", 1).replace("{owner", "{name: demand-01, owner")
    )
    changes = json.loads(mlspec("plan", "--output", "json").out)["changes"]
    (changed,) = [change for change in changes if change["action"] != "none"]
    assert changed["resource"] == "deployment.demand-01"
    differing = [key for key, value in changed["after"].items() if changed["before"][key] != value]
    assert differing == ["metadata.owner", "spec_hash"]


def test_which_versions_never_served_everything_is_known_of_a_record_that_did_not_say_it(left: Path) -> None:
    target = target_at(left)
    in_part = {
        name: complete_ledger(target, name, ledger(left, name)).served_in_part for name in target.forecast_names()
    }
    rollouts = [ledger(left, name).rollout for name in ("canary", "demand-12")]
    assert {name: versions for name, versions in in_part.items() if versions} == {
        name: (rollout.version,) for name, rollout in zip(("canary", "demand-12"), rollouts, strict=True) if rollout
    }


def test_every_name_that_the_stored_project_was_made_with_is_in_it(left: Path) -> None:
    assert target_at(left).forecast_names() == tuple(sorted(NAMES))
