"""An exception that nobody expected ends one forecast's work: no other forecast stops, and the state says what happened."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mlspec.cli.commands.status import as_text
from mlspec.engine import reconcile as one_forecast
from mlspec.engine.apply import apply_specs
from mlspec.engine.deliver import deliver_notices
from mlspec.engine.loop import reconcile_specs
from mlspec.engine.status import forecast_status
from mlspec.errors import Defect
from mlspec.state.notice import Notice, PendingNotice
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
    return as_text([forecast_status(world.target, name, datetime.now(UTC))])  # noqa: TID251  (no moment is looked at)


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


def test_a_defect_in_the_judgement_is_recorded_too(world: World, broken: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    world.look()

    def judge(*_: object) -> None:
        raise KeyError("nobody expects this")

    world.new_data()
    monkeypatch.setattr(one_forecast, "judge_serving_version", judge)
    assert world.look().status == "failed"
    assert f"demand: the last pass failed at 2024-03-01T00:00:00Z: {SAID}" in shown(world, "demand")


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
    assert world.look().status == "nothing"
    assert SAID not in shown(world, "demand")


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
