"""Apply and destroy as phases that a page or a test can start: the approval is an argument, and a no changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mlspec.engine import manual_operations
from mlspec.engine.context import Engine
from mlspec.engine.destroy import DestroyRequest, open_destroy_plan
from mlspec.engine.provision import PlanRequest, apply_plan, open_plan, plan_inputs
from mlspec.engine.target_kinds import ConfiguredTarget
from mlspec.errors import Exit, Refused
from mlspec.plan.forgotten import forgotten_sentences
from mlspec.spec import LoadedSpecs, read_specs
from mlspec.spec.project import LocalTargetSettings
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.targets.contract.nouns import notice, pending
from tests.engine.steps import engine as engine_of
from tests.engine.world import World, with_two_versions
from tests.examples import project, spec_text

NOW = "2024-03-01T00:00:00Z"
PROTECTED = ConfiguredTarget("local", LocalTargetSettings(type="local", protect=True))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "p", demand=spec_text("demand"), returns=spec_text("returns"))


def specs(root: Path) -> LoadedSpecs:
    return read_specs([root / "specs"], root, "local")


def engine(root: Path) -> Engine:
    return replace(engine_of(root), target=PROTECTED.open(root))


def request(root: Path, *select: str) -> PlanRequest:
    return PlanRequest(PROTECTED, specs(root).specs, select, None, whole_folder=True, tell=print)


def refuse(_reasons: object) -> None:
    raise Refused("no")


def test_a_protected_target_is_changed_only_with_approval(root: Path) -> None:
    asked: list[Sequence[str]] = []
    with open_plan(engine(root), request(root, "demand")) as opened:
        with pytest.raises(Refused):
            apply_plan(opened, refuse)
        assert opened.engine.target.forecast_names() == ()
        result = apply_plan(opened, asked.append)
    assert asked == [("target 'local' is protected",)]
    assert (result.exit_code, result.infrastructure) == (Exit.DONE, None)
    assert opened.engine.target.forecast_names() == ("demand",)


def test_nothing_is_asked_where_there_is_nothing_to_do(root: Path) -> None:
    with open_plan(engine(root), request(root, "demand")) as opened:
        apply_plan(opened, lambda _reasons: None)
    with open_plan(engine(root), request(root, "demand")) as opened:
        assert opened.plan.is_empty
        assert apply_plan(opened, refuse).exit_code == Exit.DONE


def test_destroy_names_what_goes_and_a_no_keeps_it(root: Path) -> None:
    with open_plan(engine(root), request(root)) as opened:
        apply_plan(opened, lambda _reasons: None)
    asked: list[str] = []
    wanted = DestroyRequest(
        names=("demand",),
        target=PROTECTED,
        loaded=specs(root),
        root=root,
        purge=True,
        clock=lambda: NOW,
        tell=print,
    )
    with open_destroy_plan(wanted) as destroy_plan:
        with pytest.raises(Refused):
            destroy_plan.destroy_all(refuse)
        assert destroy_plan.absent == ()
        destroy_plan.destroy_all(asked.append)
    assert asked == ["deployment, forecast, history and files of demand"]
    assert (destroy_plan.done, destroy_plan.exit_code) == (["demand"], Exit.DONE)
    assert destroy_plan.target.forecast_names() == ("returns",)


def test_destroy_lists_what_was_decided_and_is_forgotten_and_the_history_keeps_the_list(tmp_path: Path) -> None:
    world = World(tmp_path)
    first, second = with_two_versions(world)
    manual_operations.roll_back(world.engine(), world.spec, None, "ann", "looks odd")
    manual_operations.silence_alert(
        world.engine(), "demand", alert="accuracy", span=timedelta(days=90), by="bob", reason="a strike"
    )
    wanted = DestroyRequest(
        names=("demand",),
        target=replace(PROTECTED, settings=LocalTargetSettings(type="local")),
        loaded=specs(world.root),
        root=world.root,
        purge=False,
        clock=lambda: NOW,
        tell=print,
    )
    with open_destroy_plan(wanted) as destroy_plan:
        listed = destroy_plan.text.splitlines()
        destroy_plan.destroy_all(lambda _summary: None)
    assert listed == [
        f"demand: forgets the hold of release 3 ({first}) by ann: looks odd",
        f"demand: forgets the quarantine of {second}, which the next apply may let serve again: rolled back by ann: looks odd",
        "demand: forgets the silence of accuracy until 2024-05-31T00:00:00Z by bob: a strike",
    ]
    destroyed, forgotten = world.target.load_events("demand")[:2]
    assert (destroyed.reason, forgotten.reason) == ("Destroyed", "Forgotten")
    assert all(line.removeprefix("demand: forgets ") in forgotten.message for line in listed)
    world.look()
    assert world.serves == second


def test_open_incidents_and_notices_that_nobody_has_are_forgotten_too() -> None:
    alerts = (
        AlertRecord("accuracy", "firing", NOW, incident="i", began=NOW),
        AlertRecord("bias", "resolved", NOW, incident="j", began=NOW),
    )
    assert forgotten_sentences(Ledger(alerts=alerts), [pending(notice())] * 2, NOW) == (
        f"the incident of accuracy since {NOW}, whose end nobody will be told",
        "2 notices that were not delivered",
    )
    assert forgotten_sentences(Ledger(), (), NOW) == ()


def test_what_a_plan_reads_beside_specs_and_data_is_in_its_inputs(root: Path) -> None:
    files = {"terraform/demand/job.tf": "a", "terraform/demand/main.tf": "b", "terraform/returns/main.tf": "c"}
    before = plan_inputs(PROTECTED, files)
    assert list(before) == [
        "target local in mlspec.yaml", "what is rendered in terraform/demand/", "what is rendered in terraform/returns/",
    ]  # fmt: skip
    other = plan_inputs(
        replace(PROTECTED, settings=LocalTargetSettings(type="local")), {**files, "terraform/demand/job.tf": "d"}
    )
    assert [name for name in before if before[name] != other[name]] == list(before)[:2]
    moved = plan_inputs(PROTECTED, {"terraform/demand/other.tf": "a", **dict(list(files.items())[1:])})
    assert moved != before
    with open_plan(engine(root), request(root)) as opened:
        assert opened.plan.inputs == plan_inputs(PROTECTED)
