"""Apply and destroy as phases that a page or a test can start: the approval is an argument, and a no changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.engine.context import Engine
from mlspec.engine.destroy import DestroyRequest, open_destroy_plan
from mlspec.engine.provision import PlanRequest, apply_plan, open_plan, plan_inputs
from mlspec.engine.target_kinds import ConfiguredTarget
from mlspec.errors import Exit, Refused
from mlspec.spec import LoadedSpecs, read_specs
from mlspec.spec.project import LocalTargetSettings
from tests.engine.steps import engine as engine_of
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
