"""An exception that nobody expected ends one forecast's work: no other forecast stops, and the state says what happened."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from mlspec.cli.status_text import as_text
from mlspec.engine import apply, pass_phases, plan
from mlspec.engine import reconcile as one_forecast
from mlspec.engine.apply import apply_specs
from mlspec.engine.deliver import deliver_notices
from mlspec.engine.destroy import DestroyPlan
from mlspec.engine.loop import pass_exit_code, reconcile_specs
from mlspec.engine.status import find_status, forecast_status
from mlspec.errors import Defect, Exit
from mlspec.plan.desired import DesiredForecast
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.observed import Observed
from mlspec.state.step import Progress, StepRequest, StepResult
from tests.engine.steps import Spec, spec
from tests.engine.world import Turned, World
from tests.notify.test_deliver import notice, target_with

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
SAID = "a defect of mlspec: KeyError: 'nobody expects this'"


class Broken(Turned):
    """Steps that end with an exception of Python's own for one forecast."""

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        if request.spec["metadata"]["name"] == "broken" and request.step == "backtest":
            raise KeyError("nobody expects this")
        return super().__call__(request, progress)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def broken() -> Spec:
    return spec("broken")


def shown(world: World, name: str) -> str:
    """What `mlspec status` says of a forecast."""
    return click.unstyle(as_text([forecast_status(world.target, name, datetime.now(UTC))]))  # noqa: TID251  (no moment is looked at)


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_loop_goes_on_with_the_others_and_status_shows_it(world: World, broken: Spec, at_once: int) -> None:
    world.steps = Broken()
    found = reconcile_specs(world.engine(), [broken, world.spec], at_once=at_once)
    assert [each.status for each in found] == ["failed", "done"]
    assert isinstance(found[0].error, Defect)
    assert found[0].error.message == SAID
    assert f"broken: {SAID}" in shown(world, "broken")
    failure = world.target.observe_forecast("broken").ledger.failure
    assert failure is not None
    assert failure.next_at is not None  # it is tried again, later and later


def test_apply_goes_on_with_the_others(world: World, broken: Spec) -> None:
    world.steps = Broken()
    outcomes = apply_specs(world.engine(), [broken, world.spec])
    assert [each.status for each in outcomes] == ["failed", "applied"]
    assert SAID in shown(world, "broken")


class BrokenAt(Turned):
    """Steps of which one ends with an exception of Python's own, from the second run on."""

    def __init__(self, step: str, *, at_once: bool) -> None:
        super().__init__()
        self.step, self.breaks = step, at_once

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        if request.step == self.step and self.breaks and request.spec["metadata"]["name"] == "demand":
            raise ValueError("cannot convert float NaN to integer")
        return super().__call__(request, progress)


@pytest.mark.parametrize(
    ("command", "step"),
    [
        (command, step)
        for command in ("apply", "reconcile")
        for step in ("check", "backtest", "train", "forecast", "inventory")
    ]
    + [("reconcile", "evaluate")],
)
@pytest.mark.parametrize("first", [True, False])
def test_an_exception_of_any_step_is_recorded_and_the_forecast_is_not_ready(
    world: World, step: str, command: str, *, first: bool
) -> None:
    inventory = {"service_level": 0.95, "lead_time": 1, "review_period": 1}
    world.write(inventory=inventory)
    steps = world.steps = BrokenAt(step, at_once=first)
    other = spec("other", inventory=inventory)
    if not first:
        world.look(other)
        assert find_status(world.target, "demand", world.now).ready
    steps.breaks = True
    world.new_data()
    world.pass_time(days=1)
    world.write(inventory=inventory, model={"seed": 3})
    if command == "apply":
        codes = {outcome.forecast: outcome.exit_code for outcome in apply_specs(world.engine(), [world.spec, other])}
    else:
        passed = reconcile_specs(world.engine(), [world.spec, other])
        codes = {each.forecast: pass_exit_code([each]) for each in passed}
    assert codes["demand"] in (Exit.FAILED, Exit.PARTIAL)
    assert codes["other"] == Exit.DONE
    status = find_status(world.target, "demand", world.now)
    assert not status.ready
    assert "NaN" in status.why
    assert find_status(world.target, "other", world.now).ready
    assert any("NaN" in event.message for event in world.target.load_events("demand"))


def test_a_defect_in_the_judgement_is_recorded_too(world: World, broken: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    world.look()

    def judge(*_: object) -> None:
        raise KeyError("nobody expects this")

    world.new_data()
    monkeypatch.setattr(pass_phases, "evaluate_if_new", judge)
    assert world.look().status == "failed"
    assert f"demand: {SAID}" in shown(world, "demand")
    assert "demand    not ready" in shown(world, "demand")


def test_a_forecast_that_cannot_be_looked_at_is_shown_until_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.look()
    look = one_forecast.plan_pass

    def fail(*_: object) -> None:
        raise KeyError("nobody expects this")

    monkeypatch.setattr(one_forecast, "plan_pass", fail)
    assert [world.look(spec("other")).status for _ in range(2)] == ["failed", "failed"]
    assert world.events().count("Defect") == 1  # said once, however often it is looked at
    assert SAID in shown(world, "demand")
    monkeypatch.setattr(one_forecast, "plan_pass", look)
    world.pass_time(minutes=1)
    assert world.look().status == "nothing"
    assert SAID not in shown(world, "demand")
    before = world.state()
    assert world.look().status == "nothing"
    assert world.state() == before


@pytest.mark.parametrize("place", ["plan_pass", "evaluate_if_new", "end_pass"])
def test_a_defect_is_met_again_later_and_later_also_after_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    world.look()
    world.new_data()
    met = []

    def fail(*_: object) -> None:
        met.append(world.now)
        raise KeyError("nobody expects this")

    monkeypatch.setattr(one_forecast if place == "plan_pass" else pass_phases, place, fail)
    for _ in range(180):  # three hours of passes, a minute apart, each by an engine that remembers nothing
        found = world.look()
        assert found.status == "failed"
        assert pass_exit_code([found]) in (Exit.FAILED, Exit.PARTIAL)
        world.pass_time(minutes=1)
    moments = sorted(set(met))  # one pass may meet it twice
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    assert len(moments) < 12
    assert pauses == sorted(pauses)
    assert world.events().count("Defect") == 1
    assert "it is tried again at" in str(found.error)
    assert not find_status(world.target, "demand", world.now).ready


def test_a_defect_that_ended_a_pass_is_tried_again_at_once_under_another_release_or_spec(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.look()

    def fail(*_: object) -> None:
        raise KeyError("nobody expects this")

    with monkeypatch.context() as broken:
        broken.setattr(one_forecast, "plan_pass", fail)
        world.look()
    assert world.look().status == "failed"  # too early
    assert world.look(code="0.2.0").error is None
    assert find_status(world.target, "demand", world.now).ready


def test_an_apply_outside_of_an_effect_records_its_defect_and_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.look()

    def fail(*_: object) -> None:
        raise KeyError("nobody expects this")

    with monkeypatch.context() as broken:
        broken.setattr(apply, "plan_changes", fail)
        found = apply_specs(world.engine(), [world.spec, spec("other")])
    assert [each.status for each in found] == ["failed", "failed"]
    assert "demand    not ready" in shown(world, "demand")
    assert world.events().count("Defect") == 1
    (found_after,) = apply_specs(world.engine(), [world.spec])
    assert found_after.status == "nothing"
    assert "demand    ready" in shown(world, "demand")


def test_people_are_notified_of_a_defect_that_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(notify=[{"pubsub": "demand-alerts", "webhook": None, "severity": "info"}])
    world.look()

    def fail(*_: object) -> None:
        raise KeyError("nobody expects this")

    monkeypatch.setattr(one_forecast, "plan_pass", fail)
    for _ in range(12):
        world.look()
        world.pass_time(hours=2)
    (pending,) = world.target.load_undelivered_notices("demand")
    assert pending.notice.kind == "stalled"
    assert SAID in pending.notice.message


def test_a_plan_names_what_it_cannot_plan_and_shows_the_others(
    world: World, broken: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = plan.plan_changes

    def fail(wanted: DesiredForecast, observed: Observed) -> object:
        if wanted.name == "broken":
            raise KeyError("nobody expects this")
        return changes(wanted, observed)

    monkeypatch.setattr(plan, "plan_changes", fail)
    made = plan.make_plan(world.engine(), [broken, world.spec], None)
    assert [(each.forecast, each.message) for each in made.obstacles] == [("broken", SAID)]
    assert {change.forecast for change in made.changes} == {"demand"}


def test_a_destroy_goes_on_with_the_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.look(spec("broken"))
    remove = type(world.target).remove_forecast

    def fail(target: object, forecast: str, *words: object, **more: object) -> None:
        if forecast == "broken":
            raise KeyError("nobody expects this")
        remove(target, forecast, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(type(world.target), "remove_forecast", fail)
    destroyed = DestroyPlan(
        SimpleNamespace(names=("broken", "demand"), purge=False, clock=lambda: "t", lock_timeout=0.0),  # type: ignore[arg-type]
        world.target,
    )
    destroyed.destroy_all(lambda _summary: None)
    assert destroyed.done == ["demand"]
    assert [error.message for error in destroyed.errors] == [SAID]
    assert destroyed.exit_code == Exit.PARTIAL


def test_its_traceback_is_logged_and_its_secrets_are_not_recorded(
    world: World, broken: Spec, caplog: pytest.LogCaptureFixture
) -> None:
    class Leaking(Broken):
        def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
            raise ValueError("postgresql://me:hunter2000@db.example.com/x is not there")

    world.steps = Leaking()
    with caplog.at_level(logging.ERROR):
        (found,) = reconcile_specs(world.engine(), [broken])
    assert found.error is not None
    assert found.error.message == "a defect of mlspec: ValueError: postgresql://[secret]@db.example.com/x is not there"
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


def test_a_sender_that_breaks_keeps_no_other_notice_back(tmp_path: Path) -> None:
    names = ("webhook:broken", "webhook:well")
    target = target_with(tmp_path, *(PendingNotice(notice(), name, 0, "2024-03-01T00:00:00Z") for name in names))

    class Sender:
        def __init__(self, receiver: str) -> None:
            self.receiver = receiver

        def send_notice(self, notice: Notice) -> None:
            if self.receiver == "webhook:broken":
                raise KeyError("nobody expects this")

    found = deliver_notices(target, Sender, lambda: "2024-03-01T00:00:00Z")
    assert {each.pending.receiver: each.problem for each in found} == {"webhook:broken": SAID, "webhook:well": ""}
