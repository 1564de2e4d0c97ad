"""A run for a moment that is older than what is recorded is answered from the record; a backfill fills what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli.commands.status import as_json
from mlspec.cli.status_text import as_text
from mlspec.engine.rows import run_from_cutoff
from mlspec.engine.status import forecast_status
from mlspec.engine.steps import TARGET_STEPS, run_on_target
from mlspec.errors import UsageError
from mlspec.plan.moments import format_moment, moment_after
from mlspec.state.step import StepRequest
from mlspec.targets.local.target import LocalTarget
from tests.engine.dag_run import play
from tests.engine.world import Turned, World

DAILY = {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}
QUIET: dict[str, Any] = {"schedule": DAILY, "rollback": {"on": []}}  # an incident moves no traffic


class AsOf(Turned):
    """Steps whose forecasts are from the newest period of the data, or from the last one before a past moment."""

    days = 42

    def forecast(self, request: StepRequest) -> dict[str, Any]:
        newest = moment_after("2024-01-01T00:00:00Z", timedelta(days=self.days - 1))
        cutoff = min(newest, moment_after(request.options.get("as_of") or newest, -timedelta(days=1)))[:10]
        if not request.options.get("as_of"):
            cutoff = newest[:10]
        return {**super().forecast(request), "cutoff": cutoff}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Runs were made on the mornings of March 1 and 2, and of March 6; on those between, Airflow was away."""
    made = World(tmp_path, **QUIET)
    made.steps = AsOf()
    made.pass_time(hours=6)
    for days in (1, 4, 0):
        made.days = (made.now.date() - made.now.date().replace(month=1, day=1)).days - 1
        made.new_data()
        made.steps.days = made.days
        assert play(made).is_green
        made.pass_time(days=days)
    made.pass_time(hours=2)
    return made


def run(world: World, name: str, moment: str) -> Any:
    return run_on_target(world.engine(), world.spec, name, moment)  # type: ignore[arg-type]


OLD = "2024-03-02T06:00:00Z"


@pytest.mark.parametrize("name", TARGET_STEPS)
def test_a_step_for_an_older_moment_changes_no_byte(world: World, name: str) -> None:
    world.bad(world.serves)
    world.new_data()
    before, asked = world.state(), len(world.steps.asked)
    facts = run(world, name, OLD)
    assert facts["well"]
    assert (world.state(), len(world.steps.asked)) == (before, asked)


def test_a_task_of_an_old_run_that_is_cleared_ends_no_incident(world: World) -> None:
    world.bad(world.serves)
    play(world)
    (firing,) = world.ledger.alerts
    assert firing.state == "firing"
    world.steps.well.clear()
    facts = run(world, "evaluate", OLD)
    assert world.ledger.alerts == (firing,)
    assert [alert["state"] for alert in facts["alerts"]] == ["not firing"]


def test_an_alert_of_an_older_moment_is_answered_from_the_history(world: World) -> None:
    serves = world.serves
    world.bad(serves, 0.5)
    play(world)
    began = format_moment(world.now)
    world.well(serves, 0.1)
    play(world)
    world.pass_time(days=1)
    world.new_data()
    play(world)
    (alert,) = run(world, "evaluate", began)["alerts"]
    assert (alert["state"], alert["message"]) == ("firing", "accuracy: wape is 0.5, above 0.2")
    assert world.ledger.alerts[0].state in ("resolved", "ok")


@pytest.mark.parametrize("moment", ["2024-03-03T06:00:00Z", "2024-03-04T06:00:00Z", "2024-03-05T06:00:00Z"])
def test_a_backfill_makes_the_forecast_of_a_moment_that_nobody_ran(world: World, moment: str) -> None:
    runs, observed, status = (
        world.target.load_runs("demand"),
        world.observed,
        forecast_status(world.target, "demand", world.now),
    )
    for name in TARGET_STEPS:
        assert run(world, name, moment)["well"]
    (made,) = world.target.load_backfills("demand")
    assert (made.backfill_of, made.version) == (moment, world.serves)
    assert made.cutoff == moment_after(moment, -timedelta(days=1))[:10]
    assert set(made.files) == {"forecast", "inventory"}
    assert (
        world.target.load_runs("demand") == runs
    )  # it is neither the newest forecast, nor one that a version is judged by
    assert world.observed == observed
    assert forecast_status(world.target, "demand", world.now) == replace(status, backfills=(made,))
    assert world.look().status == "nothing"
    (event,) = [event for event in world.target.load_events("demand") if event.reason == "ForecastBackfilled"]
    assert f"with stock levels for 2024-02-12 to 2024-02-13, as of {moment}" in event.message


def test_stock_levels_that_the_spec_does_not_ask_for_are_not_filled_in(world: World) -> None:
    world.write(**QUIET, inventory=None)
    run(world, "forecast", "2024-03-04T06:00:00Z")
    (made,) = world.target.load_backfills("demand")
    assert set(made.files) == {"forecast"}


def test_what_was_filled_in_is_shown_with_its_moments(world: World) -> None:
    assert "filled in" not in as_text([forecast_status(world.target, "demand", world.now)])
    for moment in ("2024-03-05T06:00:00Z", "2024-03-03T06:00:00Z"):
        run(world, "forecast", moment)
    status = forecast_status(world.target, "demand", world.now)
    span = "2 past moments, 2024-03-03T06:00:00Z to 2024-03-05T06:00:00Z"
    assert f"demand: filled in for {span}: the last at {format_moment(world.now)}" in as_text([status])
    assert [(filled["moment"], filled["files"]) for filled in as_json(status)["backfills"]] == [
        ("2024-03-03T06:00:00Z", ["forecast", "inventory"]), ("2024-03-05T06:00:00Z", ["forecast", "inventory"]),
    ]  # fmt: skip


def test_a_forecast_is_found_by_its_cutoff_also_if_it_was_filled_in(world: World) -> None:
    newest = world.target.load_runs("demand")[0]
    run(world, "forecast", "2024-03-04T06:00:00Z")
    (filled,) = world.target.load_backfills("demand")
    assert run_from_cutoff(world.target, "demand", filled.cutoff) == filled
    assert run_from_cutoff(world.target, "demand", newest.cutoff) == newest
    with pytest.raises(UsageError, match="no forecast of demand was made from '2024-03-09'") as caught:
        run_from_cutoff(world.target, "demand", "2024-03-09")
    assert filled.cutoff in (caught.value.hint or "")


def test_a_backfill_that_runs_again_makes_nothing_twice(world: World) -> None:
    moment = "2024-03-04T06:00:00Z"
    first = run(world, "forecast", moment)
    before = world.state()
    assert run(world, "forecast", moment) == {**first}
    assert world.state() == before


@pytest.mark.parametrize(
    ("moment", "made"), [("2024-03-01T06:00:00Z", "2024-03-01T06:00:00Z"), (OLD, "2024-03-02T06:00:00Z")]
)
def test_a_moment_whose_forecast_was_made_in_time_is_answered_with_it(world: World, moment: str, made: str) -> None:
    facts = run(world, "forecast", moment)
    assert (facts["made"], facts["backfilled"]) == (made, False)
    assert world.target.load_backfills("demand") == ()


def test_the_version_that_served_then_makes_it(world: World) -> None:
    then = world.serves
    world.write(**QUIET, model={"seed": 1})
    play(world)
    assert world.serves != then
    run(world, "forecast", "2024-03-04T06:00:00Z")
    (made,) = world.target.load_backfills("demand")
    assert made.version == then


@pytest.mark.parametrize(
    ("parts", "moment", "why"),
    [
        ({"reconcile": {"mode": "pause"}}, "2024-03-04T06:00:00Z", "reconcile.mode is pause"),
        ({"reconcile": {"resources": {"forecast": "observe"}}}, "2024-03-04T06:00:00Z", "reconcile.mode is observe"),
        ({}, "2024-02-20T06:00:00Z", "no version served then"),
    ],
)
def test_where_no_forecast_is_made_for_a_moment_it_is_said_why(
    world: World, parts: dict[str, Any], moment: str, why: str
) -> None:
    world.write(**QUIET, **parts)
    before = world.state()
    facts = run(world, "forecast", moment)
    assert why in facts["message"]
    assert world.state() == before


def test_a_run_that_waited_for_the_lock_while_a_newer_one_was_made_changes_nothing_newer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a backfill, which starts many runs at once: which of them gets the lock first is chance."""
    world.pass_time(days=2)
    world.bad(world.serves)
    lock: Any = LocalTarget.lock_forecast
    after_the_newer: list[Any] = []

    def wait_for_the_newer_run(target: LocalTarget, *words: Any) -> Any:
        monkeypatch.setattr(LocalTarget, "lock_forecast", lock)
        play(world, "2024-03-09T06:00:00Z")
        after_the_newer.append(world.state())
        return lock(target, *words)

    monkeypatch.setattr(LocalTarget, "lock_forecast", wait_for_the_newer_run)
    facts = run(world, "evaluate", "2024-03-08T06:00:00Z")
    assert facts["older_moment"] == "2024-03-08T06:00:00Z"
    assert [world.state()] == after_the_newer


def test_the_newest_moment_may_be_run_again(world: World) -> None:
    world.new_data()
    world.write(**QUIET, model={"seed": 3})
    before = world.serves
    play(world, "2024-03-06T06:00:00Z")
    assert world.serves != before
