"""Apply makes it so: once, whole, and never worse than before."""

import hashlib
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli.plan_markdown import as_markdown
from mlspec.cli.plan_page import as_page
from mlspec.cli.plan_text import as_json, as_text
from mlspec.engine.apply import apply_specs
from mlspec.engine.outcome import worst_exit_code
from mlspec.engine.plan import make_plan
from mlspec.engine.status import forecast_status, not_applied
from mlspec.errors import DataError, Exit
from mlspec.plan.schedule import datetime
from mlspec.state.step import StepRequest
from tests.engine.steps import Steps, engine, spec
from tests.examples import project

ALL = ["check", "backtest", "train", "forecast", "inventory"]
NOW = datetime.fromisoformat("2024-03-01T00:00:00+00:00")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path)


def tree(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def test_the_first_apply_goes_all_the_way(root: Path) -> None:
    steps = Steps()
    (outcome,) = apply_specs(engine(root, steps), [spec()])
    assert (outcome.status, outcome.exit_code, steps.asked) == ("applied", Exit.DONE, ALL)
    assert outcome.release is not None
    assert outcome.version is not None
    assert (outcome.release.release, outcome.release.version) == (1, outcome.version.version)
    said = forecast_status(engine(root).target, "demand", NOW)
    assert said.ready
    assert said.serving == ({"version": outcome.version.version, "traffic": 100},)


def test_an_event_and_what_it_is_about_have_the_time_at_which_the_work_was_done(root: Path) -> None:
    steps = Steps()  # each takes an hour
    made = replace(engine(root, steps), clock=lambda: f"2024-03-01T{len(steps.asked):02}:00:00Z")
    apply_specs(made, [spec()])
    hours = {event.reason: event.at[11:13] for event in made.target.load_events("demand")}
    done = {step: f"{number:02}" for number, step in enumerate(ALL, 1)}
    assert hours == {
        "DataChecked": done["check"], "GatePassed": done["train"], "Deployed": done["train"], "ForecastMade": done["inventory"],
    }  # fmt: skip
    (version,), (run,) = made.target.load_versions("demand"), made.target.load_runs("demand")
    assert (version.created[11:13], run.created[11:13]) == (done["train"], done["inventory"])
    since = {condition.type: condition.since[11:13] for condition in made.target.observe_forecast("demand").conditions}
    assert since == {"DataReady": done["check"], "ModelReady": done["train"], "Deployed": done["train"]}


def test_the_second_apply_does_nothing_and_changes_no_byte(root: Path) -> None:
    apply_specs(engine(root), [spec()])
    before, steps = tree(root), Steps()
    assert make_plan(engine(root), [spec()], None).is_empty
    (outcome,) = apply_specs(engine(root, steps), [spec()])
    assert (outcome.status, steps.asked) == ("nothing", [])
    assert tree(root) == before


def test_a_plan_makes_no_write_at_all(root: Path) -> None:
    before = tree(root)
    plan = make_plan(engine(root), [spec()], "c")
    assert not plan.is_empty
    assert (plan.serial, plan.lineage, plan.commit) == (0, "", "c")
    assert tree(root) == before
    assert not (root / ".mlspec").exists()


def test_every_write_moves_the_serial_and_the_lineage_stays(root: Path) -> None:
    apply_specs(engine(root), [spec()])
    target = engine(root).target
    serial, lineage = target.serial, target.lineage
    apply_specs(engine(root), [spec(metadata={"owner": "o"})])
    assert target.serial > serial
    assert target.lineage == lineage


def test_a_new_owner_is_a_new_release_of_the_same_version_without_training(root: Path) -> None:
    apply_specs(engine(root), [spec()])
    steps = Steps()
    (outcome,) = apply_specs(engine(root, steps), [spec(metadata={"owner": "o"})])
    assert steps.asked == []
    target = engine(root).target
    assert [release.release for release in target.load_releases("demand")] == [2, 1]
    assert len(target.load_versions("demand")) == 1
    assert outcome.release is not None


def test_new_data_is_a_new_version_and_a_new_forecast(root: Path) -> None:
    apply_specs(engine(root), [spec()])
    with (root / "data/sales.csv").open("a") as file:
        file.write("001,2024-02-12,10\n")
    steps = Steps()
    apply_specs(engine(root, steps), [spec()])
    assert steps.asked == ALL
    target = engine(root).target
    assert (
        len(target.load_versions("demand"))
        == len(target.load_releases("demand"))
        == len(target.load_runs("demand"))
        == 2
    )


def test_a_spec_that_is_set_back_brings_its_version_back_at_once(root: Path) -> None:
    (first,) = apply_specs(engine(root), [spec()])
    apply_specs(engine(root), [spec(model={"horizon": 3})])
    steps = Steps()
    (back,) = apply_specs(engine(root, steps), [spec()])
    assert steps.asked == []
    assert back.version == first.version


def test_another_service_level_computes_the_stock_and_trains_nothing(root: Path) -> None:
    apply_specs(engine(root), [spec()])
    steps = Steps()
    apply_specs(engine(root, steps), [spec(inventory={"service_level": 0.9, "lead_time": 1, "review_period": 1})])
    assert steps.asked == ["inventory"]


def test_without_inventory_no_stock_is_computed(root: Path) -> None:
    steps = Steps()
    (outcome,) = apply_specs(engine(root, steps), [spec(inventory=None)])
    assert steps.asked == ALL[:-1]
    assert outcome.run is not None
    assert set(outcome.run.files) == {"forecast"}


def test_the_gate_keeps_a_bad_version_out_and_the_old_one_serves_on(root: Path) -> None:
    (good,) = apply_specs(engine(root), [spec()])
    changed = spec(model={"horizon": 3})
    steps = Steps(wape=0.95)
    (outcome,) = apply_specs(engine(root, steps), [changed])
    assert (outcome.status, outcome.exit_code) == ("kept-out", Exit.NOT_WELL)
    assert steps.asked == ["check", "backtest"]
    said = forecast_status(engine(root).target, "demand", NOW)
    assert good.version is not None
    assert said.ready
    assert said.champion == good.version.version
    assert [version.state for version in engine(root).target.load_versions("demand")] == ["rejected", "passed"]


@pytest.mark.parametrize("model", [{"seed": 1}, {"horizon": 3}], ids=["same-shape", "other-shape"])
def test_receivers_and_alerts_change_while_the_gate_keeps_a_version_out(root: Path, model: dict[str, int]) -> None:
    (good,) = apply_specs(engine(root), [spec()])
    apply_specs(engine(root, Steps(wape=0.95)), [spec(model=model)])
    alerts, notify = [{"name": "accuracy", "metric": "wape", "above": 0.2}], [{"webhook": {"secret": "oncall"}}]
    changed = spec(model=model, alerts=alerts, notify=notify)
    plan = make_plan(engine(root), [changed], None)
    (change,) = (change for change in plan.changes if change.action != "none")
    assert change.resource == "deployment.demand"
    assert {field.field.partition("[")[0] for field in change.fields} == {"alerts", "notify"}
    assert "the gate kept" in change.reason
    steps = Steps()
    (outcome,) = apply_specs(engine(root, steps), [changed])
    assert (outcome.status, outcome.exit_code, steps.asked) == ("kept-out", Exit.NOT_WELL, [])
    newest_release, first_release = engine(root).target.load_releases("demand")
    assert good.version is not None
    assert (newest_release.release, newest_release.version) == (2, good.version.version)
    assert newest_release.spec["model"] == first_release.spec["model"]
    assert newest_release.spec["notify"] == changed.json["notify"]
    assert newest_release.spec["alerts"] == changed.json["alerts"]
    assert {change.action for change in make_plan(engine(root), [changed], None).changes} == {"none"}
    ledger = engine(root).target.observe_forecast("demand").ledger
    assert ledger.spec == changed.spec_hash  # the loop sees no other spec
    before = tree(root)
    apply_specs(engine(root), [changed])
    assert tree(root) == before


@pytest.mark.parametrize("changed", [
    {"deployment": {"serve": "online", "machine": {"type": "n2-standard-8", "min_replicas": 2, "max_replicas": 5}}},
    {"deployment": {"serve": "both", "endpoint": {"access": "private", "allowed_projects": ["acme-1"]}}},
    {"deployment": {"batch_machine": "n2-highmem-32"}},
    {"deployment": {"rollout": {"strategy": "canary", "steps": [20, 100], "interval": "2h"}}},
    {"schedule": {"forecast": "0 6 * * *", "retrain": "0 4 1 * *", "timezone": "UTC"}},
    {"training": {"machine": "n2-highmem-16"}},
    {"metadata": {"owner": "desk@example.com", "labels": {"cost-center": "cc-1"}}},
    {"reconcile": {"mode": "observe"}},
    {"budget": {"trainings_per_week": 1}},
    {"dataset": {"actuals": {"available_after": "3d", "min_coverage": 0.5}}},
], ids=lambda changed: next(iter(changed)))  # fmt: skip
def test_each_key_that_no_model_depends_on_is_released_while_the_gate_keeps_a_version_out(
    root: Path, changed: dict[str, Any]
) -> None:
    apply_specs(engine(root), [spec()])
    apply_specs(engine(root, Steps(wape=0.95)), [spec(model={"seed": 1})])
    kept_out, steps = spec(model={"seed": 1}, **changed), Steps()
    (change,) = (change for change in make_plan(engine(root), [kept_out], None).changes if change.action != "none")
    assert {field.field.partition(".")[0] for field in change.fields} == set(changed)
    (outcome,) = apply_specs(engine(root, steps), [kept_out])
    assert (outcome.status, steps.asked) == ("kept-out", [])
    newest_release = engine(root).target.load_releases("demand")[0]
    assert (newest_release.release, newest_release.spec) == (2, spec(**changed).json)
    assert {change.action for change in make_plan(engine(root), [kept_out], None).changes} == {"none"}


def test_receivers_that_change_with_a_version_that_is_kept_out_are_in_force_at_once(root: Path) -> None:
    apply_specs(engine(root), [spec()])
    notify = [{"webhook": {"secret": "oncall"}}]
    (outcome,) = apply_specs(engine(root, Steps(wape=0.95)), [spec(model={"seed": 1}, notify=notify)])
    assert outcome.release is not None
    assert (outcome.status, outcome.release.release) == ("kept-out", 2)
    assert outcome.release.spec["model"]["seed"] == spec().json["model"]["seed"]


def test_a_lost_model_is_made_again_under_its_own_spec_while_the_gate_keeps_a_newer_one_out(root: Path) -> None:
    (good,) = apply_specs(engine(root), [spec()])
    changed, steps = spec(model={"seed": 1}), Steps()
    apply_specs(engine(root, Steps(wape=0.95)), [changed])
    assert good.version is not None
    engine(root).target.fetch_file("demand", good.version.files["model"]).unlink()
    (outcome,) = apply_specs(engine(root, steps), [changed])
    assert (outcome.status, steps.asked) == ("kept-out", ["train"])
    assert len(engine(root).target.load_releases("demand")) == 1
    assert "DriftMended" in {event.reason for event in engine(root).target.load_events("demand")}


def test_what_was_kept_out_is_not_tried_again_until_something_changes(root: Path) -> None:
    apply_specs(engine(root, Steps(wape=0.95)), [spec()])
    before, steps = tree(root), Steps()
    (again,) = apply_specs(engine(root, steps), [spec()])
    assert (again.status, again.exit_code, steps.asked) == ("kept-out", Exit.NOT_WELL, [])
    assert tree(root) == before
    (other,) = apply_specs(engine(root, Steps()), [spec(model={"seed": 1})])
    assert other.status == "applied"


def test_a_first_version_that_is_kept_out_leaves_nothing_serving_and_says_so(root: Path) -> None:
    apply_specs(engine(root, Steps(wape=0.95)), [spec()])
    said = forecast_status(engine(root).target, "demand", NOW)
    assert not said.ready
    assert {condition.type: condition.reason for condition in said.conditions}["Deployed"] == "AwaitingFirstModel"
    assert said.serving == ()


def test_broken_data_changes_nothing_that_serves(root: Path) -> None:
    (good,) = apply_specs(engine(root), [spec()])
    (root / "data/sales.csv").write_text("broken")
    (outcome,) = apply_specs(engine(root, Steps(data_ok=False)), [spec()])
    assert outcome.exit_code == Exit.FAILED
    assert isinstance(outcome.error, DataError)
    assert "3 periods are missing" in outcome.error.message
    assert good.version is not None
    assert good.version.version in (outcome.error.hint or "")
    said = forecast_status(engine(root).target, "demand", NOW)
    assert said.champion == good.version.version
    assert not said.ready
    assert engine(root).target.load_events("demand")[0].reason == "DataRefused"


def test_a_step_that_fails_after_others_were_kept_stops_part_way_and_goes_on_from_there(root: Path) -> None:
    (outcome,) = apply_specs(engine(root, Steps(fails="train")), [spec()])
    assert outcome.exit_code == Exit.PARTIAL
    steps = Steps()
    (done,) = apply_specs(engine(root, steps), [spec()])
    assert done.status == "applied"
    assert steps.asked == ["train", "forecast", "inventory"]


def test_one_failing_forecast_does_not_hold_up_the_others(root: Path) -> None:
    lost = spec("lost", dataset={"source": {"uri": "data/nothing.csv", "query": None}})
    outcomes = apply_specs(engine(root), [lost, spec("demand")])
    assert [outcome.status for outcome in outcomes] == ["failed", "applied"]
    assert worst_exit_code(outcome.exit_code for outcome in outcomes) == Exit.FAILED


def test_a_file_that_is_deleted_is_found_and_made_again(root: Path) -> None:
    (first,) = apply_specs(engine(root), [spec()])
    target = engine(root).target
    assert first.run is not None
    target.fetch_file("demand", first.run.files["forecast"]).unlink()
    said = forecast_status(target, "demand", NOW)
    assert not said.ready
    assert "was deleted" in said.why
    (again,) = apply_specs(engine(root), [spec()])
    assert again.status == "applied"
    assert forecast_status(target, "demand", NOW).ready
    assert target.fetch_file("demand", first.run.files["forecast"]).exists()


def test_a_model_file_that_is_lost_comes_back_with_the_same_bytes(root: Path) -> None:
    (first,) = apply_specs(engine(root), [spec()])
    target = engine(root).target
    assert first.version is not None
    target.fetch_file("demand", first.version.files["model"]).unlink()
    apply_specs(engine(root), [spec()])
    assert target.fetch_file("demand", first.version.files["model"]).exists()
    assert len(target.load_versions("demand")) == 1


def test_other_code_is_another_version(root: Path) -> None:
    (first,) = apply_specs(engine(root), [spec()])
    (second,) = apply_specs(engine(root, code="0.2.0"), [spec()])
    assert first.version is not None
    assert second.version is not None
    assert first.version.version != second.version.version


def test_what_was_never_applied_is_not_ready() -> None:
    said = not_applied("demand", "t")
    assert (said.ready, said.why) == (False, "nothing is applied: run `mlspec apply`")


class LargeData(Steps):
    """Steps whose check finds as much data as a retailer has."""

    def check(self, request: StepRequest) -> dict[str, object]:
        size = {"series": 30_490, "periods": 59_181_090, "times": 1_941, "season": 7, "seasons": [7]}
        return super().check(request) | {"size": size}


def test_apply_and_each_later_plan_say_how_long_it_takes_and_what_is_left_out(root: Path) -> None:
    said: list[str] = []
    steps = LargeData()
    auto = spec(model={"candidates": "auto"})
    first = make_plan(engine(root, steps), [auto], None)
    assert not any("processor" in sentence for sentence in first.impact)  # nobody has read the data yet
    apply_specs(replace(engine(root, steps), tell=lambda *words: said.append(f"{words[1]}: {words[-1]}")), [auto])
    (estimate,) = [text for text in said if text.startswith("estimate: ")]
    assert said.index(estimate) < said.index("backtest: backtest")
    assert "backtest and training take about" in estimate
    assert "no auto-ets: its backtest would take about" in estimate
    changed = make_plan(engine(root, steps), [spec(model={"candidates": "auto", "seed": 2})], None, processors=4)
    took, *left_out = [sentence for sentence in changed.impact if sentence.startswith("demand: ")]
    assert "with 4 processors" in took
    assert all(sentence.startswith("demand: no ") for sentence in left_out)
    texts = {
        as_text(changed), as_json(changed), as_markdown(changed).replace("\\", ""), unescape(as_page(changed)),
    }  # fmt: skip
    assert all("demand: no auto-ets: its backtest would take about" in text for text in texts)


def test_a_plan_that_trains_nothing_says_no_time(root: Path) -> None:
    steps = LargeData()
    apply_specs(engine(root, steps), [spec()])
    assert make_plan(engine(root, steps), [spec()], None).impact == ()
