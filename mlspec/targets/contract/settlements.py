"""Settlements: each is written whole or not at all, and what was settled reads back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mlspec.errors import StateError
from mlspec.state.ledger import Ledger, Quarantine
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.record import Condition, FileRef, ForecastRun, Release
from mlspec.state.resource import Resource
from mlspec.targets.contract.fixtures import LOCKED, StorePlace, count_rows, run_statements
from mlspec.targets.contract.nouns import T, event, version, write
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.record.schema import RECORDS


def test_nothing_was_written_and_reading_writes_nothing(target: LocalTarget, place: StorePlace) -> None:
    assert (target.serial, target.lineage, target.forecast_names()) == (0, "", ())
    assert target.observe_forecast("demand").resources == {}
    assert (target.load_request_counts("demand", T), target.load_due_notices(T), target.load_events("demand")) == (
        (),
        (),
        (),
    )
    with place.open_store().database.read_connection() as connection:
        assert connection is None


def test_a_settlement_is_whole_or_not_at_all(target: LocalTarget) -> None:
    write(target)
    before = target.serial
    release = Release("demand", 1, "unknown", T, "h", {})
    with pytest.raises(StateError, match=r"(?i)foreign key"):
        target.record_settlement(
            Settlement("demand", resource=ObservedResource(Resource("deployment", "demand", {})), release=release), T
        )
    assert target.observe_forecast("demand").resources == {}
    assert target.load_releases("demand") == ()
    assert target.serial == before


def test_what_was_settled_reads_back(target: LocalTarget) -> None:
    release = Release("demand", 1, "v1", T, "h", {"model": {"horizon": 2}})
    run = ForecastRun("demand", "v1", "d1", "2024-02-11", T, {"forecast": FileRef("a" * 64, 3, "f")}, {"rows": 4})
    seen = ObservedResource(Resource("data", "demand", {"digest": "d1"}), {"cutoff": "2024-02-11"})
    ledger = Ledger(quarantined=(Quarantine("v0", "bad: 50 % — übel\n", T),), slots={"forecast": T})
    new = Settlement(
        "demand", resource=seen, version=version(), release=release, run=run, events=(event(),), ledger=ledger
    )
    target.record_settlement(new, T)
    assert target.load_versions("demand") == (version(),)
    assert target.load_releases("demand") == (release,)
    assert target.load_runs("demand") == (run,)
    assert target.find_newest_run("demand") == run
    assert target.load_events("demand") == (event(),)
    observed = target.observe_forecast("demand")
    assert (observed.resources["data"], observed.ledger) == (seen, ledger)
    assert target.forecast_names() == ("demand",)


def test_the_newest_run_is_the_last_one_that_was_made_in_time(target: LocalTarget) -> None:
    assert target.find_newest_run("demand") is None
    runs = [ForecastRun("demand", name, "d", "2024-02-11", T, {}) for name in ("v1", "v2")]
    late = ForecastRun("demand", "v3", "d", "2024-02-04", T, {}, {"backfill_of": T})
    for run in (*runs, late):
        target.record_settlement(Settlement("demand", version=version(run.version), run=run), T)
    assert target.find_newest_run("demand") == runs[-1]
    assert target.load_backfills("demand") == (late,)


def test_a_settlement_returns_what_is_held_after_it(
    target: LocalTarget, another: Callable[[], LocalTarget], place: StorePlace, panel: Path
) -> None:
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    data = ObservedResource(
        Resource("data", "demand", {"digest": "d1"}), {"cutoff": "2024-02-11", "rows": (1, 2)}, filed.outputs
    )
    failed = Condition("demand", "ModelReady", "False", "StepFailed", "it cannot be done", T)
    settlements = (
        Settlement("demand", resource=data, version=version(), events=(event(),)),
        Settlement("demand", conditions=(failed,), ledger=Ledger(slots={"forecast": T})),
        Settlement("demand", resource=ObservedResource(Resource("forecast", "demand", {}), {}, filed.outputs)),
        Settlement(
            "demand", forgotten_kinds=("data",), conditions=(replace(failed, status="True", reason="GatePassed"),)
        ),
        Settlement("other", events=(event(forecast="other"),)),
    )
    for settlement in settlements:
        assert target.record_settlement(settlement, T) == another().observe_forecast(settlement.forecast)
    place.lose_file(filed.outputs["panel"])
    with target.lock_forecast("demand", *LOCKED):
        held = target.record_settlement(settlements[0], T)
        assert held == target.observe_forecast("demand")
        assert {seen.damage for seen in held.resources.values()} == {"panel was deleted"}


def test_every_write_moves_the_serial_by_one_and_the_lineage_stays(
    target: LocalTarget, another: Callable[[], LocalTarget]
) -> None:
    write(target)
    lineage = target.lineage
    assert (target.serial, bool(lineage)) == (1, True)
    target.write_journal("demand", resource="model.demand", phase="started", detail="", at=T)
    write(another(), "other")
    assert (target.serial, target.lineage) == (3, lineage)


def test_a_later_settlement_replaces_what_moves_and_forgets_what_is_no_more(target: LocalTarget) -> None:
    for number in (1, 2):
        seen = ObservedResource(Resource("data", "demand", {"n": number}))
        target.record_settlement(Settlement("demand", resource=seen, ledger=Ledger(evaluated=str(number))), T)
    assert target.observe_forecast("demand").intact_fields("data") == {"n": 2}
    assert target.observe_forecast("demand").ledger.evaluated == "2"
    target.record_settlement(Settlement("demand", forgotten_kinds=("data",)), T)
    assert target.observe_forecast("demand").resources == {}


def test_records_are_told_newest_first_and_names_in_order(target: LocalTarget) -> None:
    for number, name in enumerate(("v2", "v1", "v3"), start=1):
        new = Release("demand", number, name, T, "h", {})
        target.record_settlement(Settlement("demand", version=version(name), release=new, events=(event(name),)), T)
    assert [each.version for each in target.load_versions("demand")] == ["v3", "v1", "v2"]
    assert [each.release for each in target.load_releases("demand")] == [3, 2, 1]
    assert [each.message for each in target.load_events("demand")] == ["v3", "v1", "v2"]
    for name in ("a-b", "ab", "a1"):
        write(target, name)
    assert target.forecast_names() == ("a-b", "a1", "ab", "demand")


def test_a_version_is_recorded_once_however_often_it_is_settled(target: LocalTarget) -> None:
    for _ in range(2):
        target.record_settlement(Settlement("demand", version=version()), T)
    assert target.load_versions("demand") == (version(),)


def test_since_moves_when_the_status_does_and_never_ahead_of_a_clock_that_is_right_again(target: LocalTarget) -> None:
    first, later, last, ahead = (f"{year}-03-01T00:00:00Z" for year in (2024, 2025, 2026, 2099))
    expected = {first: first, later: first, ahead: ahead, last: last}
    for since, status in ((first, "True"), (later, "True"), (ahead, "False"), (last, "False")):
        condition = Condition("demand", "DataReady", status, "R", since, since)  # type: ignore[arg-type]
        target.record_settlement(Settlement("demand", conditions=(condition,)), T)
        (found,) = target.load_conditions("demand")
        assert (found.since, found.message) == (expected[since], since)


@pytest.mark.parametrize("change", ["UPDATE {} SET forecast = 'x'", "DELETE FROM {}"])
def test_a_record_is_never_changed(target: LocalTarget, place: StorePlace, panel: Path, change: str) -> None:
    target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    release = Release("demand", 1, "v1", T, "h", {})
    run = ForecastRun("demand", "v1", "d", "2024-02-11", T, {})
    seen = ObservedResource(Resource("data", "demand", {}))
    target.record_settlement(Settlement("demand", seen, (), version(), release, run, (event(),)), T)
    for table in RECORDS:
        with pytest.raises(Exception, match="never changed"):
            run_statements(place, change.format(table))
        assert count_rows(place, table) == 1
