"""What goes: by destroy and purge, and by pruning. What something still needs stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.errors import StateError
from mlspec.state.ledger import Ledger
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.record import FileRef, ForecastRun, Release
from mlspec.state.resource import Resource
from mlspec.state.retention import AgedTable, Pruning
from mlspec.targets.contract.fixtures import LOCKED, StorePlace
from mlspec.targets.contract.nouns import T, event, notice, pending, version
from mlspec.targets.local.target import LocalTarget

DAY = "2024-03-02T00:00:00Z"  # when what was let go at T may be removed


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
    assert (target.load_versions("demand"), target.load_releases("demand"), target.load_events("demand")) == (
        (),
        (),
        (),
    )
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
    assert target.load_unneeded_files("demand") == (ref,)
    assert remove_files(target, DAY) == (ref,)
    assert target.load_unneeded_files("demand") == ()
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
    target: LocalTarget, place: StorePlace, panel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = place.open_store()
    filing, other = (
        LocalTarget(panel.parent / "filing", store=store),
        LocalTarget(panel.parent, store=place.open_store()),
    )
    ref = filed_panel(target, panel)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    store_file = store.files.store_file

    def gone_meanwhile(path: Path, owner: str) -> FileRef:
        monkeypatch.setattr(store.files, "store_file", store_file)
        stored = store_file(path, owner)
        assert remove_files(other, DAY) == (ref,)
        return stored

    monkeypatch.setattr(store.files, "store_file", gone_meanwhile)
    filed_panel(filing, panel, "other")
    assert other.fetch_file("other", ref).read_text() == "rows of a panel"
    assert other.find_step("other", "check", "k") is not None


def test_a_purge_takes_the_files_that_wait_to_go(target: LocalTarget, panel: Path) -> None:
    ref = filed_panel(target, panel)
    prune(target, rows={"steps": (("check", "k"),)}, files=(ref,))
    target.remove_forecast("demand", (), purge=True, at=T)
    assert target.find_stored_files("demand", {ref}) == frozenset()
    assert remove_files(target, "2024-03-05T00:00:00Z", "other") == ()
