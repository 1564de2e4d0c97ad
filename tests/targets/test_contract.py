"""What the port promises of the record (`targets/base.py`), kept by every store: a folder, and a team's database."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.errors import LockHeld, StateError
from mlspec.state.ledger import Ledger, Quarantine
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.observed import ObservedResource, RecordedCheck, Settlement
from mlspec.state.record import Condition, FileRef, ForecastRun, Release
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Resource
from mlspec.state.retention import AgedTable, Pruning
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.record.schema import RECORDS, SCHEMA_VERSION
from tests.engine.test_crash import in_child
from tests.stores import Home, behind, cut, lose, recorded, target_at, url_of
from tests.targets.nouns import T, event, pending, version, write

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
LOCKED = ("apply", T, 0.0)


@pytest.fixture
def root(home: Home, tmp_path: Path) -> Path:
    return home.settle_in(tmp_path / "p")


@pytest.fixture
def target(root: Path) -> LocalTarget:
    return target_at(root)


@pytest.fixture
def another(root: Path) -> Callable[[], LocalTarget]:
    """Opens the same record as anyone else would."""
    return lambda: target_at(root)


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    (tmp_path / "panel").write_text("rows of a panel")
    return tmp_path / "panel"


# --- settlements ------------------------------------------------------------------------------------------------------------------


def test_nothing_was_written_and_reading_writes_nothing(target: LocalTarget, root: Path) -> None:
    assert (target.serial, target.lineage, target.forecast_names()) == (0, "", ())
    assert target.observe_forecast("demand").resources == {}
    assert target.load_request_counts("demand", T) == target.load_due_notices(T) == target.load_events("demand") == ()
    assert not target.folder.exists()


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


def test_a_settlement_returns_what_is_held_after_it(target: LocalTarget, root: Path, panel: Path) -> None:
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
        assert target.record_settlement(settlement, T) == target_at(root).observe_forecast(settlement.forecast)
    lose(root, filed.outputs["panel"])
    with target.lock_forecast("demand", *LOCKED):
        held = target.record_settlement(settlements[0], T)
        assert held == target.observe_forecast("demand")
        assert {seen.damage for seen in held.resources.values()} == {"panel was deleted"}


def test_every_write_moves_the_serial_by_one_and_the_lineage_stays(target: LocalTarget, root: Path) -> None:
    write(target)
    lineage = target.lineage
    assert (target.serial, bool(lineage)) == (1, True)
    target.write_journal("demand", resource="model.demand", phase="started", detail="", at=T)
    write(target_at(root), "other")
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
def test_a_record_is_never_changed(target: LocalTarget, root: Path, panel: Path, change: str) -> None:
    target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    release = Release("demand", 1, "v1", T, "h", {})
    run = ForecastRun("demand", "v1", "d", "2024-02-11", T, {})
    seen = ObservedResource(Resource("data", "demand", {}))
    target.record_settlement(Settlement("demand", seen, (), version(), release, run, (event(),)), T)
    for table in RECORDS:
        with pytest.raises(Exception, match="never changed"):
            behind(root, change.format(table))
        assert len(recorded(root)[table]) == 1


# --- files ------------------------------------------------------------------------------------------------------------------------


def test_a_step_is_found_by_its_key_and_its_file_is_kept_once(target: LocalTarget, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    outputs = {"a": tmp_path / "a", "b": tmp_path / "b"}
    filed = target.file_step("demand", step="check", key="k", outputs=outputs, facts={"n": 1}, at=T)
    assert filed.outputs["a"].sha256 == filed.outputs["b"].sha256
    assert target.fetch_file("demand", filed.outputs["a"]).read_text() == "same"
    assert target.find_step("demand", "check", "k") == filed
    assert target.find_step("demand", "check", "other") is None
    assert target.file_step("demand", step="check", key="k", outputs=outputs, facts={"n": 1}, at=T) == filed


def test_checks_of_the_data_are_listed_the_newest_first(target: LocalTarget) -> None:
    assert target.load_checks("demand") == ()
    for day, key in ((1, "b"), (2, "a")):
        at = f"2024-03-0{day}T00:00:00Z"
        target.file_step("demand", step="check", key=key, outputs={}, facts={"ok": day == 1}, at=at)
    target.file_step("demand", step="train", key="t", outputs={}, facts={}, at="2024-03-03T00:00:00Z")
    target.file_step("other", step="check", key="o", outputs={}, facts={}, at="2024-03-03T00:00:00Z")
    assert target.load_checks("demand") == (
        RecordedCheck("2024-03-02T00:00:00Z", {"ok": False}),
        RecordedCheck("2024-03-01T00:00:00Z", {"ok": True}),
    )


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 5000])
def test_a_file_reads_back_byte_by_byte(target: LocalTarget, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    filed = target.file_step("demand", step="check", key="k", outputs={"file": tmp_path / "file"}, facts={}, at=T)
    assert target.fetch_file("demand", filed.outputs["file"]).read_bytes() == content
    assert target.find_step("demand", "check", "k") == filed


@pytest.mark.parametrize(("damage", "said"), [(lose, "panel was deleted"), (cut, "panel was changed")])
def test_a_damaged_file_is_told_and_filing_it_again_mends_it(
    target: LocalTarget, root: Path, panel: Path, damage: Callable[[Path, FileRef], None], said: str
) -> None:
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    target.record_settlement(
        Settlement("demand", resource=ObservedResource(Resource("data", "demand", {}), {}, filed.outputs)), T
    )
    damage(root, filed.outputs["panel"])
    assert target.observe_forecast("demand").resources["data"].damage == said
    assert target.find_step("demand", "check", "k") is None
    with pytest.raises(StateError, match=said.removeprefix("panel ")):
        target.fetch_file("demand", filed.outputs["panel"])
    target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    assert target.find_step("demand", "check", "k") == filed
    assert target.fetch_file("demand", filed.outputs["panel"]).read_text() == "rows of a panel"


def test_a_file_that_is_changed_behind_a_run_is_told_in_the_run(target: LocalTarget, root: Path, panel: Path) -> None:
    """Its size and its time of change are as they were: its ctime is not, and that nobody sets back."""
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    with target.hash_files_once():
        path = target.fetch_file("demand", filed.outputs["panel"])
        before = path.stat()
        while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of a file system ticks every few milliseconds
            path.write_bytes(bytes(reversed(path.read_bytes())))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        if url_of(root):  # the copy is fetched again
            assert target.fetch_file("demand", filed.outputs["panel"]).read_text() == "rows of a panel"
        else:
            with pytest.raises(StateError, match="was changed"):
                target.fetch_file("demand", filed.outputs["panel"])


# --- taking down ------------------------------------------------------------------------------------------------------------------


def test_destroy_keeps_history_and_purge_does_not(target: LocalTarget, panel: Path) -> None:
    filed = target.file_step("demand", step="check", key="k", outputs={"a": panel}, facts={}, at=T)
    seen = ObservedResource(Resource("data", "demand", {}), {}, filed.outputs)
    release = Release("demand", 1, "v1", T, "h", {})
    target.record_settlement(
        Settlement("demand", resource=seen, version=version(), release=release, ledger=Ledger(evaluated="x")), T
    )
    target.record_settlement(Settlement("other", version=version("v9", "other")), T)
    target.remove_forecast("demand", ("data",), purge=False, at=T)
    assert target.observe_forecast("demand").resources == {}
    assert target.observe_forecast("demand").ledger == Ledger()
    assert target.load_versions("demand") == (version(),)
    assert [each.reason for each in target.load_events("demand")] == ["Destroyed"]
    target.remove_forecast("demand", ("data",), purge=True, at=T)
    assert target.load_versions("demand") == target.load_releases("demand") == target.load_events("demand") == ()
    assert target.load_versions("other") != ()
    with pytest.raises(StateError, match="was deleted"):
        target.fetch_file("demand", filed.outputs["a"])


def test_a_purge_leaves_a_file_that_another_forecast_names(target: LocalTarget, panel: Path) -> None:
    for name in ("demand", "other"):
        filed = target.file_step(name, step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
        target.record_settlement(
            Settlement(name, resource=ObservedResource(Resource("data", name, {}), {}, filed.outputs)), T
        )
    target.remove_forecast("demand", ("data",), purge=True, at=T)
    assert target.forecast_names() == ("other",)
    assert target.observe_forecast("other").resources["data"].damage is None


# --- pruning ----------------------------------------------------------------------------------------------------------------------
DAY = "2024-03-02T00:00:00Z"


def filed_panel(target: LocalTarget, panel: Path, forecast: str = "demand", key: str = "k") -> FileRef:
    """File a step that made the panel."""
    with target.lock_forecast(forecast, *LOCKED):
        filed = target.file_step(forecast, step="check", key=key, outputs={"panel": panel}, facts={}, at=T)
    return filed.outputs["panel"]


def prune(target: LocalTarget, at: str = T, *, whole: bool = False, forecast: str = "demand", **words: Any) -> None:
    with target.lock_forecast(forecast, *LOCKED):
        target.prune_records(Pruning(forecast, **words), at, whole=whole)


def remove_files(target: LocalTarget, at: str, forecast: str = "demand") -> tuple[FileRef, ...]:
    with target.lock_forecast(forecast, *LOCKED):
        return target.remove_unneeded_files(forecast, at)


def test_a_prune_deletes_what_it_names_and_nothing_else(target: LocalTarget, panel: Path) -> None:
    for number, name in enumerate(("v1", "v2", "v3"), start=1):
        new = Release("demand", number, name, T, "h", {})
        run = ForecastRun("demand", name, "d", "2024-02-11", T, {})
        target.record_settlement(Settlement("demand", version=version(name), release=new, run=run), T)
        filed_panel(target, panel, key=name)
    contents = target.load_contents("demand")
    assert [row.key for row in contents.releases] == [(3,), (2,), (1,)]
    oldest = contents.runs[-1].key
    rows = {"runs": (oldest,), "releases": ((1,),), "versions": (("v1",),), "steps": (("check", "v1"),)}
    prune(target, rows=rows)
    assert [each.version for each in target.load_versions("demand")] == ["v3", "v2"]
    assert [each.release for each in target.load_releases("demand")] == [3, 2]
    assert [each.version for each in target.load_runs("demand")] == ["v3", "v2"]
    assert target.find_step("demand", "check", "v1") is None
    assert target.find_step("demand", "check", "v2") is not None


def test_a_prune_that_names_a_version_in_use_changes_nothing(target: LocalTarget) -> None:
    new = Release("demand", 1, "v1", T, "h", {})
    target.record_settlement(Settlement("demand", version=version(), release=new, events=(event(),)), T)
    with pytest.raises(StateError, match=r"(?i)foreign key"):
        prune(target, DAY, rows={"versions": (("v1",),)}, before={"events": DAY}, whole=True)
    assert (target.load_versions("demand"), len(target.load_events("demand"))) == ((version(),), 1)


def test_a_file_goes_a_day_after_nothing_needs_it(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    assert target.find_step("demand", "check", "k") is None
    assert remove_files(target, "2024-03-01T23:59:59Z") == ()
    assert target.fetch_file("demand", ref).read_text() == "rows of a panel"
    assert target.find_stored_files("demand", {ref}) == {ref}
    assert remove_files(target, DAY) == (ref,)
    assert target.find_stored_files("demand", {ref}) == frozenset()
    with pytest.raises(StateError, match="was deleted"):
        target.fetch_file("demand", ref)
    assert remove_files(target, "2025-03-02T00:00:00Z") == ()


def test_a_file_that_is_named_again_within_the_day_stays(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    filed_panel(target, panel, key="another")
    assert remove_files(target, DAY) == ()
    prune(target, DAY, needed=frozenset({ref.sha256}))
    assert remove_files(target, "2024-04-01T00:00:00Z") == ()
    assert target.fetch_file("demand", ref).read_text() == "rows of a panel"


def test_a_version_that_is_needed_again_within_the_day_keeps_its_files(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    target.record_settlement(Settlement("demand", version=replace(version(), files={"model": ref})), T)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    prune(target, needed=frozenset({ref.sha256}))
    assert remove_files(target, "2024-04-01T00:00:00Z") == ()
    assert target.find_damaged_files("demand", [ref]) == frozenset()


def test_the_record_of_a_version_stays_without_its_files(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    target.record_settlement(Settlement("demand", version=replace(version(), files={"model": ref})), T)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    assert remove_files(target, DAY) == (ref,)
    assert [each.version for each in target.load_versions("demand")] == ["v1"]
    assert target.find_damaged_files("demand", [ref]) == {ref}


def test_a_file_that_another_forecast_names_or_has_just_let_go_stays(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    filed_panel(target, panel, "other")
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    remove_files(target, DAY)
    assert target.fetch_file("other", ref).read_text() == "rows of a panel"
    prune(target, DAY, forecast="other", rows={"steps": (("check", "k"),)}, files=(ref,))
    remove_files(target, "2024-03-02T23:00:00Z")
    assert target.fetch_file("other", ref).read_text() == "rows of a panel"
    remove_files(target, "2024-03-04T00:00:00Z")
    remove_files(target, "2024-03-04T00:00:00Z", "other")
    assert target.find_stored_files("other", {ref}) == frozenset()


def test_a_prune_without_anything_to_remove_writes_nothing(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    before = target.serial
    prune(target, DAY, before={"events": T, "journal": T, "outbox": T, "served": T}, needed=frozenset({ref.sha256}))
    remove_files(target, DAY)
    assert target.serial == before


def test_events_the_journal_and_delivered_notices_go_by_age(target: LocalTarget) -> None:
    for name, at in (("old", "2022-01-01T00:00:00Z"), ("new", T)):
        happened = replace(event(name), at=at)
        told = (pending(notice(f"told {name}")), pending(notice(f"waits {name}"), None))
        target.record_settlement(Settlement("demand", events=(happened,), notices=told), T)
        target.write_journal("demand", resource="data.demand", phase="started", detail=name, at=at)
        target.mark_delivered(PendingNotice(notice(f"told {name}"), "webhook:oncall", 1, None, ""), at)
    before: dict[AgedTable, str] = {"events": "2023-01-01", "journal": "2023-01-01", "outbox": "2023-01-01"}
    measured = target.measure_old_rows("demand", before)
    assert {table: (rows.goes, rows.stays) for table, rows in measured.items()} == {
        "events": (1, 1), "journal": (1, 1), "outbox": (1, 3),
    }  # fmt: skip
    prune(target, before=before)
    assert [each.message for each in target.load_events("demand")] == ["new"]
    assert {each.notice.id for each in target.load_undelivered_notices("demand")} == {"waits old", "waits new"}
    assert {table: rows.goes for table, rows in target.measure_old_rows("demand", before).items()} == dict.fromkeys(
        before, 0
    )


def test_a_clock_that_was_ahead_keeps_no_file_for_ever(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    prune(target, "2034-03-01T00:00:00Z", rows={"steps": (("check", "k"),)}, files=(ref,))
    assert remove_files(target, T) == ()
    assert remove_files(target, "2024-03-01T23:00:00Z") == ()
    assert remove_files(target, DAY) == (ref,)


def test_a_file_that_goes_while_another_forecast_files_the_same_bytes_is_stored_again(
    target: LocalTarget, root: Path, panel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = filed_panel(target, panel)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    store_file = target._file_store.store_file

    def gone_meanwhile(path: Path, owner: str) -> FileRef:
        monkeypatch.setattr(target._file_store, "store_file", store_file)
        stored = store_file(path, owner)
        assert remove_files(target_at(root), DAY) == (ref,)
        return stored

    monkeypatch.setattr(target._file_store, "store_file", gone_meanwhile)
    filed_panel(target, panel, "other")
    assert target_at(root).fetch_file("other", ref).read_text() == "rows of a panel"
    assert target.find_step("other", "check", "k") is not None


def test_a_purge_takes_the_files_that_wait_to_go(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    target.remove_forecast("demand", (), purge=True, at=T)
    assert target.find_stored_files("demand", {ref}) == frozenset()
    assert remove_files(target, "2024-03-05T00:00:00Z", "other") == ()


# --- the outbox, and servers ------------------------------------------------------------------------------------------------------


def notice(name: str = "n1") -> Notice:
    return Notice(name, "demand", "accuracy", "alert", "firing", "warning", T, T, "it is bad")


def test_a_notice_stands_in_the_outbox_once_until_it_was_taken(target: LocalTarget) -> None:
    for _ in range(2):
        target.record_settlement(Settlement("demand", notices=(pending(notice()),)), T)
    (found,) = target.load_due_notices(T)
    assert found == pending(notice())
    later = PendingNotice(notice(), found.receiver, 1, "2024-03-01T00:05:00Z", "refused")
    target.mark_delivered(later, None)
    assert target.load_due_notices(T) == ()
    assert target.load_due_notices("2024-03-01T00:05:00Z") == target.load_undelivered_notices("demand") == (later,)
    target.mark_delivered(PendingNotice(notice(), found.receiver, 2, None, ""), T)
    assert target.load_undelivered_notices("demand") == ()


def test_the_longest_overdue_is_due_first(target: LocalTarget) -> None:
    for name, at in (("n1", "2024-03-02T00:00:00Z"), ("n2", "2024-03-01T00:00:00Z"), ("n3", None)):
        target.record_settlement(Settlement("demand", notices=(pending(notice(name), at),)), T)
    assert [each.notice.id for each in target.load_due_notices("2024-03-03T00:00:00Z")] == ["n2", "n1"]
    assert [each.notice.id for each in target.load_undelivered_notices("demand")] == ["n3", "n2", "n1"]


def test_an_attempt_that_only_a_clock_that_was_ahead_can_have_planned_is_due(target: LocalTarget) -> None:
    far = pending(notice("far"), "2033-01-01T00:00:00Z")
    target.record_settlement(Settlement("demand", notices=(far, pending(notice("near"), "2024-03-02T00:00:00Z"))), T)
    assert target.load_due_notices(T) == ()
    assert target.load_due_notices(T, "2024-03-04T00:00:00Z") == (far,)


def minute(at: str = "2024-03-01T00:00:00Z", name: str = "v1") -> RequestCount:
    return RequestCount("demand", name, at, 2, 1, (1, *[0] * 10, 1))


def test_what_servers_count_adds_up_by_minute_and_version(target: LocalTarget) -> None:
    target.add_request_counts((minute(), minute()))
    target.add_request_counts((minute(), minute("2024-02-29T23:59:00Z"), minute(name="v2")))
    counted = target.load_request_counts("demand", T)
    assert [(each.version, each.requests, each.errors, each.took[0]) for each in counted] == [
        ("v1", 6, 3, 3),
        ("v2", 2, 1, 1),
    ]
    assert len(target.load_request_counts("demand", "2024-02-29")) == 3


def test_counts_leave_a_saved_plan_as_it_is_and_are_kept_as_long_as_an_alert_may_look_back(target: LocalTarget) -> None:
    write(target)
    before = target.serial
    target.add_request_counts((minute(), minute("2024-01-15T04:00:00Z")))
    assert target.serial == before
    assert [each.minute for each in target.load_request_counts("demand", "2023")] == [
        "2024-01-15T04:00:00Z",
        "2024-03-01T00:00:00Z",
    ]
    target.add_request_counts((minute("2024-03-01T00:01:00Z"),))
    assert [each.minute[:10] for each in target.load_request_counts("demand", "2023")] == ["2024-03-01", "2024-03-01"]


def test_counts_of_a_server_whose_clock_was_ahead_go_with_the_next_ones(target: LocalTarget) -> None:
    write(target)
    target.add_request_counts((minute("2033-01-01T00:00:00Z"),))
    near = minute("2024-03-01T05:00:00Z")  # another server's clock
    target.add_request_counts((near,))
    target.add_request_counts((minute(),))
    assert [each.minute for each in target.load_request_counts("demand", "2023")] == [minute().minute, near.minute]


def test_servers_that_count_at_once_lose_nothing(target: LocalTarget, root: Path) -> None:
    write(target)
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for _ in range(5):
                    target_at(root).add_request_counts((minute(),))
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
    (found,) = target.load_request_counts("demand", T)
    assert (found.requests, found.errors) == (40, 20)
    assert target.serial == 1  # as `write` left it


# --- locks ------------------------------------------------------------------------------------------------------------------------


def test_a_lock_is_held_alone_names_its_holder_and_is_free_again_at_once(
    target: LocalTarget, another: Callable[[], LocalTarget]
) -> None:
    other = another()
    for _ in range(2):
        with target.lock_forecast("demand", *LOCKED):
            with (
                pytest.raises(LockHeld, match=rf"apply by .*, pid {os.getpid()} on .*, since {T}"),
                other.lock_forecast("demand", *LOCKED),
            ):
                pass
            with other.lock_forecast("another", *LOCKED):
                write(other, "another")
            write(target)
    with other.lock_forecast("demand", *LOCKED):
        write(other)
    assert len(target.load_events("demand")) == 3


def test_a_lock_is_free_after_its_holder_failed_or_died(target: LocalTarget, root: Path) -> None:
    with pytest.raises(StateError, match=r"(?i)foreign key"), target.lock_forecast("demand", *LOCKED):
        target.record_settlement(Settlement("demand", release=Release("demand", 1, "unknown", T, "h", {})), T)

    def die_holding() -> None:
        target_at(root).lock_forecast("demand", *LOCKED).__enter__()
        os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die_holding) == -signal.SIGKILL
    with target.lock_forecast("demand", "apply", T, 30.0):  # a server needs a moment to see that a process is gone
        write(target)
    assert len(target.load_events("demand")) == 1


def test_what_was_written_under_a_lock_is_seen_by_all_before_it_is_free(
    target: LocalTarget, another: Callable[[], LocalTarget], panel: Path
) -> None:
    with target.lock_forecast("demand", *LOCKED):
        filed = target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
        write(target)
        assert another().find_step("demand", "check", "k") == filed
        assert target.observe_forecast("demand") == another().observe_forecast("demand")


def test_a_session_sees_what_others_record_meanwhile(target: LocalTarget, root: Path) -> None:
    write(target)
    with target.read_session():
        assert len(target.load_events("demand")) == 1
        write(target_at(root))
        assert len(target.load_events("demand")) == 2
        write(target)
        assert len(target.load_events("demand")) == 3


def test_a_process_that_was_forked_inside_a_session_opens_its_own(target: LocalTarget) -> None:
    write(target)

    def read_and_write() -> None:
        assert len(target.load_events("demand")) == 1
        write(target, message="of the child")

    with target.read_session():
        assert in_child(read_and_write) == 0
        assert [each.message for each in target.load_events("demand")] == ["of the child", "m"]


# --- state that cannot be used ----------------------------------------------------------------------------------------------------


def test_a_newer_state_is_refused_with_the_way_out(target: LocalTarget, root: Path) -> None:
    write(target)
    behind(root, f"UPDATE meta SET value = '{SCHEMA_VERSION + 1}' WHERE key = 'schema_version'")
    for use in (lambda: target.serial, lambda: write(target), target.migrate_schema):
        with pytest.raises(StateError, match="newer mlspec") as caught:
            use()
        assert caught.value.hint == "install a newer mlspec: see 'Install' in mlspec's README"


def made_older(root: Path, target: LocalTarget) -> None:
    """Leave a state as schema 1 had it, with one version and one event."""
    target.record_settlement(Settlement("demand", version=version(), events=(event(),)), T)
    tables = ("ledgers", "outbox", "served")
    behind(
        root, *(f"DROP TABLE {table}" for table in tables), "UPDATE meta SET value = '1' WHERE key = 'schema_version'"
    )


def test_an_older_state_is_refused_then_upgraded_and_keeps_every_record(target: LocalTarget, root: Path) -> None:
    made_older(root, target)
    for use in (lambda: target.load_versions("demand"), lambda: write(target)):
        with pytest.raises(StateError, match="older mlspec") as caught:
            use()
        assert "`mlspec migrate`" in (caught.value.hint or "")
    assert target.migrate_schema()
    assert (target.load_versions("demand"), target.load_events("demand"), target.serial) == (
        (version(),),
        (event(),),
        2,
    )
    target.record_settlement(Settlement("demand", ledger=Ledger(evaluated="x")), T)
    assert target.observe_forecast("demand").ledger.evaluated == "x"
    assert target.migrate_schema() is None


@pytest.mark.parametrize("edit", [
    "UPDATE resources SET facts = 'x'", "UPDATE ledgers SET record = '{'", "DROP TABLE ledgers",
    "DELETE FROM meta WHERE key = 'schema_version'", "UPDATE meta SET value = 'two' WHERE key = 'schema_version'",
])  # fmt: skip
def test_a_state_that_was_edited_by_hand_is_refused_in_words(target: LocalTarget, root: Path, edit: str) -> None:
    target.record_settlement(
        Settlement("demand", resource=ObservedResource(Resource("data", "demand", {})), ledger=Ledger()), T
    )
    behind(root, edit)
    with pytest.raises(StateError) as caught:
        target.observe_forecast("demand")
    assert caught.value.hint
