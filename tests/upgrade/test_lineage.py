"""What of an upgrade is a reason to train: the code that shapes a model, where it says so, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.engine.context import Engine
from mlspec.engine.loop import reconcile_specs
from mlspec.engine.plan import make_plan
from tests.engine.steps import Spec, Steps, engine, spec
from tests.examples import sales
from tests.stores import Home, recorded

ACCURACY = {
    "name": "accuracy", "metric": "wape", "above": 0.9, "below": None, "outside": None, "window": None, "for": None,
    "by": [], "baseline": None, "severity": "critical", "inhibits": [],
}  # fmt: skip
UPGRADES: dict[str, dict[str, Any]] = {
    "a release of mlspec": {"mlspec": "0.9.0"},
    "a release of a library": {"libraries": {"numpy": "3", "pandas": "4"}},
    "both": {"mlspec": "0.9.0", "libraries": {"numpy": "3"}},
}


@pytest.fixture
def demand() -> Spec:
    """A forecast whose alert is evaluated."""
    return spec(alerts=[ACCURACY])


@pytest.fixture
def root(tmp_path: Path, demand: Spec, home: Home) -> Path:
    """A project whose forecast is released, and at rest: in its folder, or in a team's database."""
    root = home.project(tmp_path / "project")
    reconcile_specs(engine(root), [demand])
    assert reconcile_specs(engine(root), [demand])[0].status == "nothing"
    return root


def newer(root: Path, steps: Steps | None = None, **words: Any) -> Engine:
    """The engine of an mlspec that is installed over the one that released the forecast."""
    return replace(engine(root, steps), **words)


@pytest.mark.parametrize("words", UPGRADES.values(), ids=UPGRADES)
def test_an_upgrade_of_mlspec_or_of_a_library_is_no_reason_to_train(
    root: Path, demand: Spec, words: dict[str, Any]
) -> None:
    before, steps = recorded(root), Steps()
    assert make_plan(newer(root, steps, **words), [demand], None).is_empty
    assert reconcile_specs(newer(root, steps, **words), [demand])[0].status == "nothing"
    assert (recorded(root), steps.asked) == (before, [])


def test_a_code_version_that_was_raised_is_one(root: Path, demand: Spec) -> None:
    raised = newer(root, code="0.9.0", mlspec="0.9.0")
    (model,) = [change for change in make_plan(raised, [demand], None).changes if change.resource == "model.demand"]
    assert model.reason == "code.version changed: mlspec itself changed"
    (found,) = reconcile_specs(raised, [demand])
    assert any(
        line.startswith("model.demand passed") and "code.version changed: mlspec itself" in line
        for line in found.actions
    )
    newest, first = raised.target.load_versions("demand")
    assert (newest.lineage["code_version"], first.lineage["code_version"]) == ("0.9.0", "0.1.0")


def test_the_next_training_says_which_libraries_it_used_and_not_which_release_of_mlspec(root: Path) -> None:
    (root / "data/sales.csv").write_text(sales(days=43))
    scheduled = spec(alerts=[ACCURACY], model={"seed": 1})
    reconcile_specs(newer(root, mlspec="0.9.0", libraries={"numpy": "3"}), [scheduled])
    lineage = engine(root).target.load_versions("demand")[0].lineage
    assert lineage["libraries"] == {"numpy": "3"}
    assert lineage["code_version"] == "0.1.0"
    assert "0.9.0" not in str(lineage)


def test_work_that_an_older_mlspec_could_not_do_is_tried_again_by_a_newer_one(root: Path) -> None:
    changed = spec(alerts=[ACCURACY], model={"seed": 1})
    (found,) = reconcile_specs(engine(root, Steps(fails="train")), [changed])
    assert found.error is not None
    steps = Steps()
    (found,) = reconcile_specs(engine(root, steps), [changed])
    assert (found.status, steps.asked) == ("waiting", [])
    (found,) = reconcile_specs(newer(root, mlspec="0.9.0"), [changed])
    assert any(
        line.startswith("model.demand passed") and "model.seed changed: backtests" in line for line in found.actions
    )


def test_an_upgrade_between_two_steps_takes_no_file_that_the_older_mlspec_wrote(root: Path) -> None:
    changed, steps = spec(alerts=[ACCURACY], model={"seed": 1}), Steps()
    reconcile_specs(engine(root, Steps(fails="train")), [changed])
    reconcile_specs(newer(root, steps, mlspec="0.9.0"), [changed])
    assert steps.asked[:2] == ["backtest", "train"]
