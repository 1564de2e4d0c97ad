"""Apply follows what it sees, not what it remembers: what is mended outside, or by another run, is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.engine.plan import make_plan
from mlspec.engine.status import forecast_status
from mlspec.errors import Exit, StateError
from mlspec.plan.schedule import datetime
from tests.engine.steps import Steps, engine, spec
from tests.examples import project, sales
from tests.forked import in_children

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
NOW = datetime.fromisoformat("2024-03-01T00:00:00+00:00")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


def ready(root: Path) -> bool:
    return forecast_status(engine(root).target, "demand", NOW).ready


def test_data_that_was_refused_and_is_put_back_makes_the_forecast_ready_again(root: Path) -> None:
    apply_specs(engine(root), [spec()])
    (root / "data/sales.csv").write_text("broken")
    apply_specs(engine(root, Steps(data_ok=False)), [spec()])
    assert not ready(root)
    (root / "data/sales.csv").write_text(sales())
    plan = make_plan(engine(root), [spec()], None)
    assert [change.resource for change in plan.changes if change.action != "none"] == ["data.demand"]
    assert "the last attempt failed" in plan.changes[0].reason
    steps = Steps()
    (outcome,) = apply_specs(engine(root, steps), [spec()])
    assert (outcome.status, steps.asked) == ("applied", [])
    assert ready(root)
    assert make_plan(engine(root), [spec()], None).is_empty
    assert len(engine(root).target.load_releases("demand")) == 1


@pytest.mark.parametrize("step", ["backtest", "forecast"])
def test_a_step_that_failed_leaves_the_forecast_not_ready_until_one_succeeds(root: Path, step: str) -> None:
    apply_specs(engine(root), [spec()])
    changed = spec(model={"horizon": 3})
    (failed,) = apply_specs(engine(root, Steps(fails=step)), [changed])
    assert failed.error is not None
    assert not ready(root)
    apply_specs(engine(root), [spec()])
    assert ready(root)
    assert make_plan(engine(root), [spec()], None).is_empty
    apply_specs(engine(root), [changed])
    assert ready(root)


def test_a_file_whose_bytes_changed_and_whose_size_did_not_is_found_and_made_again(root: Path) -> None:
    (first,) = apply_specs(engine(root), [spec()])
    assert first.run is not None
    target, ref = engine(root).target, first.run.files["forecast"]
    path = target.fetch_file("demand", ref)
    path.write_bytes(bytes(reversed(path.read_bytes())))
    assert not ready(root)
    with pytest.raises(StateError, match="was changed"):
        target.fetch_file("demand", ref)
    assert not make_plan(engine(root), [spec()], None).is_empty
    steps = Steps()
    apply_specs(engine(root, steps), [spec()])
    assert steps.asked == ["forecast"]
    assert target.fetch_file("demand", ref).exists()
    assert ready(root)


@pytest.mark.parametrize("role", ["backtest", "scores", "model", "panel", "series", "forecast", "inventory"])
def test_any_file_that_is_lost_is_made_again_as_it_was_even_after_others_came_to_serve(root: Path, role: str) -> None:
    """The second version was held against the first: it is made again against the same one, not against itself."""
    apply_specs(engine(root), [spec(model={"horizon": 3})])
    (outcome,) = apply_specs(engine(root), [spec()])
    assert outcome.version is not None
    assert outcome.run is not None
    target = engine(root).target
    files = {**target.observe_forecast("demand").resources["data"].files, **outcome.version.files, **outcome.run.files}
    target.fetch_file("demand", files[role]).unlink()
    (again,) = apply_specs(engine(root), [spec()])
    assert again.status == "applied"
    assert target.fetch_file("demand", files[role]).exists()
    assert len(target.load_versions("demand")) == 2
    assert make_plan(engine(root), [spec()], None).is_empty
    (stock,) = apply_specs(engine(root), [spec(inventory={"service_level": 0.9, "lead_time": 1, "review_period": 1})])
    assert stock.status == "applied"


def test_a_run_that_waited_for_another_finds_nothing_left_to_do(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = engine(root).target.lock_forecast("demand", "apply", "t", 0.0)
    holder.__enter__()

    def other_run_ends(_seconds: float) -> None:
        holder.__exit__(None, None, None)
        monkeypatch.undo()
        apply_specs(engine(root), [spec()])

    monkeypatch.setattr("mlspec.targets.record.locking.time.sleep", other_run_ends)
    steps = Steps()
    (outcome,) = apply_specs(engine(root, steps), [spec()], lock_timeout=60.0)
    assert (outcome.status, steps.asked) == ("nothing", [])
    assert len(engine(root).target.load_releases("demand")) == 1


def test_a_lost_file_of_a_version_that_was_kept_out_does_not_let_it_in(root: Path) -> None:
    apply_specs(engine(root, Steps(wape=0.95)), [spec()])
    target = engine(root).target
    target.fetch_file("demand", target.observe_forecast("demand").resources["data"].files["panel"]).unlink()
    (again,) = apply_specs(engine(root, Steps(wape=0.95)), [spec()])
    assert (again.status, again.exit_code) == ("kept-out", Exit.NOT_WELL)
    assert target.load_releases("demand") == ()


def test_a_crowd_that_does_not_wait_names_the_one_who_works(root: Path) -> None:
    codes = set(in_children([lambda: apply_specs(engine(root), [spec()])[0].exit_code] * 8))
    assert codes <= {Exit.DONE, Exit.LOCKED}
    assert Exit.DONE in codes
    target = engine(root).target
    assert (
        len(target.load_versions("demand")),
        len(target.load_releases("demand")),
        len(target.load_runs("demand")),
    ) == (1, 1, 1)


def test_forecasts_that_are_born_together_share_one_state(root: Path) -> None:
    names = [f"shop-{number}" for number in range(6)]
    works = [lambda name=name: apply_specs(engine(root), [spec(name)])[0].exit_code for name in names]
    assert in_children(works) == [0] * len(names)
    assert engine(root).target.forecast_names() == tuple(names)


def test_a_forecast_without_its_data_is_an_obstacle_to_itself_alone(root: Path) -> None:
    lost = spec("lost", dataset={"source": {"uri": "data/nothing.csv", "query": None}})
    plan = make_plan(engine(root), [lost, spec()], None)
    assert {change.forecast for change in plan.changes} == {"demand"}
    (obstacle,) = plan.obstacles
    assert (obstacle.forecast, "data/nothing.csv" in obstacle.message) == ("lost", True)
