"""A DAG's tasks run one step each on the target's record: in order, late, twice or out of order, they end where apply ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.engine.plan import make_plan
from mlspec.engine.steps import TARGET_STEPS, run_on_target
from mlspec.errors import DataError, LockHeld, ModelError
from tests.engine.steps import Steps, engine, spec
from tests.examples import project

AT = "2024-03-01T06:00:00Z"
ALERT = {
    "name": "accuracy", "metric": "wape", "above": 0.2, "below": None, "outside": None, "window": 4, "for": None, "by": [],
    "baseline": None, "severity": "critical", "inhibits": [],
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


def run(root: Path, *names: str, steps: Steps | None = None, **parts: object) -> list[bool]:
    made = engine(root, steps)
    return [run_on_target(made, spec(**parts), name, AT)["well"] for name in names]  # type: ignore[arg-type]


def test_the_steps_of_a_run_end_where_apply_ends(root: Path, tmp_path: Path) -> None:
    steps = Steps()
    assert all(run(root, *TARGET_STEPS, steps=steps))
    assert steps.asked == ["check", "backtest", "train", "forecast", "inventory", "evaluate"]
    assert make_plan(engine(root), [spec()], None).is_empty
    other = project(tmp_path / "other")
    apply_specs(engine(other), [spec()])
    ours, theirs = engine(root).target, engine(other).target
    assert [version.version for version in ours.load_versions("demand")] == [
        found.version for found in theirs.load_versions("demand")
    ]
    assert [release.release for release in ours.load_releases("demand")] == [1]


@pytest.mark.parametrize("name", TARGET_STEPS)
def test_a_task_that_runs_again_does_nothing_twice(root: Path, name: str) -> None:
    run(root, *TARGET_STEPS)
    before, steps = engine(root).target, Steps()
    counts = len(before.load_versions("demand")), len(before.load_releases("demand")), len(before.load_runs("demand"))
    run(root, name, steps=steps)
    after = engine(root).target
    assert (
        len(after.load_versions("demand")),
        len(after.load_releases("demand")),
        len(after.load_runs("demand")),
    ) == counts
    assert steps.asked == []


def test_a_step_does_what_it_stands_on_and_is_not_there_yet(root: Path) -> None:
    steps = Steps()
    assert run(root, "roll-out", steps=steps) == [True]
    assert steps.asked == ["check", "backtest", "train"]


def test_measuring_steps_leave_what_serves_alone(root: Path) -> None:
    run(root, "check", "backtest", "gate", "train")
    target = engine(root).target
    assert target.load_versions("demand") == ()
    assert target.load_releases("demand") == ()


def test_a_closed_gate_is_no_error_and_the_verdict_stands(root: Path) -> None:
    steps = Steps(wape=0.95)
    assert run(root, "check", "backtest", "gate", steps=steps) == [True, True, False]
    assert "train" not in steps.asked
    (version,) = engine(root).target.load_versions("demand")
    assert version.state == "rejected"
    assert run(root, "gate", "register", "roll-out", steps=steps) == [False, False, False]
    assert engine(root).target.load_releases("demand") == ()
    assert len(engine(root).target.load_versions("demand")) == 1


def test_a_version_that_serves_goes_on_serving_behind_a_closed_gate(root: Path) -> None:
    run(root, *TARGET_STEPS)
    served = engine(root).target.observe_forecast("demand").find_fact("deployment", "version")
    (root / "data" / "sales.csv").write_text(
        (root / "data" / "sales.csv").read_text() + "001,2024-02-12,10\nNA,2024-02-12,20\n"
    )
    assert run(root, "gate", steps=Steps(wape=0.95)) == [False]
    assert engine(root).target.observe_forecast("demand").find_fact("deployment", "version") == served


def test_data_that_breaks_its_contract_stops_the_run_and_is_told(root: Path) -> None:
    with pytest.raises(DataError, match="3 periods are missing"):
        run(root, "check", steps=Steps(data_ok=False))
    conditions = {found.type: found for found in engine(root).target.load_conditions("demand")}
    assert (conditions["DataReady"].status, conditions["DataReady"].reason) == ("False", "DataRefused")


def test_a_step_that_fails_is_told_and_the_next_try_goes_on(root: Path) -> None:
    with pytest.raises(ModelError):
        run(root, "forecast", steps=Steps(fails="forecast"))
    steps = Steps()
    assert run(root, "forecast", steps=steps) == [True]
    assert steps.asked == ["forecast", "inventory"]


def test_a_broken_threshold_is_evidence_and_moves_no_traffic(root: Path) -> None:
    run(root, *TARGET_STEPS, alerts=[ALERT])
    assert run(root, "evaluate", steps=Steps(wape=0.3), alerts=[ALERT]) == [
        True
    ]  # filed for the same day and forecasts
    fresh = project(root / "fresh")
    assert run(fresh, *TARGET_STEPS, steps=Steps(wape=0.3), alerts=[ALERT])[-1] is False
    target = engine(fresh).target
    assert "wape is 0.3, above 0.2" in next(
        event.message for event in target.load_events("demand") if event.reason == "AlertFiring"
    )
    assert {found.type: found.status for found in target.load_conditions("demand")}["Healthy"] == "False"
    assert target.observe_forecast("demand").find_fact("deployment", "traffic") is not None


def test_a_run_that_holds_the_forecast_is_waited_for_or_named(root: Path) -> None:
    made = engine(root)
    with made.target.lock_forecast("demand", "apply", AT, 0.0), pytest.raises(LockHeld):
        run_on_target(engine(root), spec(), "check", AT)
