"""Pruning in the loop and by hand: nothing that a decision or a reader needs goes, wherever it is cut off."""

from __future__ import annotations

import copy
import json
import os
import select
import signal
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlspec.engine import pass_phases, prune
from mlspec.engine.effects import ForecastWork
from mlspec.engine.prune import PrunePlan
from mlspec.engine.status import forecast_status
from mlspec.errors import Exit, Refused, StoppedPartWay, TargetError, Terminated
from mlspec.plan.retention import EVALUATED_RUNS
from mlspec.spec.retention import Retention
from mlspec.state.record import FileRef
from mlspec.targets.local.target import LocalTarget
from tests.engine.test_crash import Killer
from tests.engine.test_reconcile_crash import outcome
from tests.engine.world import World
from tests.forked import exit_code_of, in_child, start_child
from tests.moments import tried
from tests.stores import Home, behind, recorded, url_of

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
LITTLE = Retention(releases=2, runs=timedelta(days=7), events=timedelta(days=30))


class Keeping(World):
    """A world whose loop prunes, if `retention` says what stays."""

    retention: Retention | None = None

    def engine(self, code: str = "0.1.0") -> Any:
        return replace(super().engine(code), retention=self.retention)

    def grow(self, versions: int = 6, runs: int = 2) -> None:
        """Let some versions serve, one after the other, each for some days with new data."""
        self.look()
        for seed in range(1, versions):
            for _ in range(runs):
                self.new_data()
                self.pass_time(days=1)
                self.look()
            self.well(self.serves)
            self.look()
            self.promoted(seed=seed)
            self.pass_time(days=4)
        self.well(self.serves)
        self.look()

    def settle(self) -> None:
        """Look until nothing is left to remove: each day brings a pass some work, and releases are old enough to go."""
        self.pass_time(days=60)
        for _ in range(6):
            self.pass_time(days=1)
            self.look()
            self.look()

    def files(self) -> set[str]:
        """The names of all stored files."""
        if url_of(self.root):
            return {str(row[0]) for row in behind(self.root, "SELECT DISTINCT sha256 FROM mlspec.chunks")}
        return {path.name for path in (self.root / ".mlspec/artifacts/sha256").glob("*/*")}

    def named(self) -> dict[str, FileRef]:
        """Every file that a row of the record names, by content."""
        target, observed = self.target, self.observed
        contents = target.load_contents("demand")
        maps = [row.content.files for row in (*contents.runs, *contents.versions)]
        maps += [row.content.outputs for row in contents.steps]
        maps += [seen.files for seen in observed.resources.values()]
        return {ref.sha256: ref for files in maps for ref in files.values()}

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {table: len(rows) for table, rows in recorded(self.root).items()}


def grown(folder: Path, home: Home | None = None, **parts: Any) -> Keeping:
    world = Keeping(folder, home, **parts)
    world.grow()
    return world


def moved(world: Keeping, folder: Path, home: Home) -> Keeping:
    """The same world in another folder."""
    other = copy.copy(world)
    other.root, other.steps = folder, copy.deepcopy(world.steps)
    home.copy(world.root, folder)
    return other


def end_of(world: Keeping) -> dict[str, Any]:
    """Where a world ended, times and what is kept of its past left out."""
    return {**outcome(world), "versions": None, "releases": None}


def as_seen(world: Keeping) -> dict[str, Any]:
    """What people and decisions see of a forecast, whatever is kept of its past."""
    status = forecast_status(world.target, "demand", datetime.fromisoformat("2025-01-01T00:00:00+00:00"))
    return {**end_of(world), "status": asdict(status)}


def test_a_loop_that_prunes_decides_as_one_that_keeps_everything(tmp_path: Path) -> None:
    keeps, prunes = Keeping(tmp_path / "keeps"), Keeping(tmp_path / "prunes")
    prunes.retention = LITTLE
    for world in (keeps, prunes):
        world.grow()
        world.settle()
    assert len(prunes.target.load_releases("demand")) < len(keeps.target.load_releases("demand"))
    assert len(prunes.files()) < len(keeps.files())
    assert as_seen(prunes) == as_seen(keeps)
    assert prunes.named().keys() - prunes.files() <= {
        ref.sha256 for version in prunes.target.load_versions("demand") for ref in version.files.values()
    }
    for world in (keeps, prunes):
        world.bad(world.serves)
        world.look()
        world.look()
    assert "RolledBack" in prunes.events()
    assert as_seen(prunes) == as_seen(keeps)


def test_without_retention_nothing_goes(tmp_path: Path) -> None:
    world = grown(tmp_path)
    before = world.counts()
    world.settle()
    assert all(after >= before[table] for table, after in world.counts().items())
    assert world.named().keys() <= world.files()


def test_a_clock_that_is_years_ahead_removes_next_to_nothing(tmp_path: Path) -> None:
    world = grown(tmp_path)
    world.retention = Retention()
    before, then = world.counts(), world.now
    world.pass_time(days=3000)
    world.new_data()
    world.look()
    world.look()
    world.now = then
    after = world.counts()
    assert all(after[table] >= before[table] for table in ("runs", "releases", "versions", "events", "journal"))


@pytest.mark.parametrize("mode", ["observe", "pause"])
def test_a_loop_that_only_observes_removes_nothing(tmp_path: Path, mode: str) -> None:
    world = grown(tmp_path)
    world.retention = LITTLE
    world.write(reconcile={"mode": mode})
    before, files = world.counts(), world.files()
    world.settle()
    assert all(after >= before[table] for table, after in world.counts().items())
    assert files <= world.files()


def test_a_pass_without_news_writes_nothing_and_removes_nothing(tmp_path: Path, home: Home) -> None:
    world = grown(tmp_path, home)
    world.retention = LITTLE
    world.settle()
    before = world.state()
    world.look()
    assert world.state() == before


def test_an_account_that_may_not_delete_files_prunes_rows_and_its_pass_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = grown(tmp_path)
    world.retention = LITTLE
    files, releases = world.files(), len(world.target.load_releases("demand"))

    def refuse(*_words: object) -> None:
        raise TargetError("storage.objects.delete is denied", hint="grant it")

    with monkeypatch.context() as refusing:
        refusing.setattr(LocalTarget, "remove_unneeded_files", refuse)
        world.settle()
        world.pass_time(days=1)
        assert world.look().error is None
    assert len(world.target.load_releases("demand")) < releases
    assert files <= world.files()
    assert "not everything could be pruned: storage.objects.delete is denied" in caplog.text
    world.settle()
    assert not files <= world.files()


def test_a_first_prune_of_an_old_record_is_spread_over_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = grown(tmp_path)
    monkeypatch.setattr(prune, "_MOST", 1)
    world.retention = LITTLE
    world.pass_time(days=60)
    seen = [len(world.target.load_releases("demand"))]
    for _ in range(8):
        world.pass_time(days=1)
        world.look()
        seen.append(len(world.target.load_releases("demand")))
    assert all(before - after <= 1 for before, after in pairwise(seen))
    assert seen[-1] < seen[0]


def test_the_newest_forecasts_stay_for_the_evaluation(tmp_path: Path) -> None:
    world = Keeping(tmp_path)
    world.retention = LITTLE
    for _ in range(EVALUATED_RUNS + 5):
        world.new_data()
        world.pass_time(days=1)
        world.look()
    assert len(world.target.load_runs("demand")) == EVALUATED_RUNS


def passes_that_prune(world: Keeping) -> None:
    """Two passes: the first removes rows, the second, some days later, files."""
    for _ in range(2):
        world.look()
        world.pass_time(days=3)


def killed_at(world: Keeping, point: int, home: Home, report: Path | None = None) -> int:
    """Let passes be killed at a point, or note in `report` which points are those of a prune, and the first after it."""

    def work() -> None:
        killer, points = Killer(point, home), set[int]()

        def followed(work: ForecastWork) -> None:
            first = killer.count + 1
            prune.prune_after_pass(work)
            points.update(range(first, killer.count + 2))

        pass_phases.prune_after_pass = followed  # type: ignore[assignment]  # in this child
        killer.install()
        passes_that_prune(world)
        if report:
            report.write_text(json.dumps([each for each in sorted(points) if each <= killer.count]))

    return in_child(work)


@pytest.mark.no_cover  # the same way again, for every write; test_reconcile_crash.py tries the other writes of a pass
def test_a_prune_that_is_killed_at_any_write_is_finished_by_the_next(tmp_path: Path, home: Home) -> None:
    before = Keeping(tmp_path / "before", home)
    before.grow(versions=4, runs=1)
    before.retention = LITTLE
    before.pass_time(days=60)
    points_file = tmp_path / "points"
    assert killed_at(moved(before, tmp_path / "probe", home), 0, home, points_file) == 0
    points = json.loads(points_file.read_text())
    assert len(points) > (2 if home.server else 10)
    straight = moved(before, tmp_path / "straight", home)
    passes_that_prune(straight)
    straight.settle()
    wanted = (end_of(straight), straight.named().keys(), straight.files())
    assert wanted[2] < before.files() | straight.files()
    for point in tried(points):
        world = moved(before, tmp_path / f"at-{point}", home)
        assert killed_at(world, point, home) == -signal.SIGKILL
        assert all(seen.damage is None for seen in world.observed.resources.values()), f"killed at write {point}"
        passes_that_prune(world)
        world.settle()
        assert (end_of(world), world.named().keys(), world.files()) == wanted, f"killed at write {point}"
        home.leave(world.root)


def test_a_reader_that_looked_before_a_prune_finds_all_that_it_saw(tmp_path: Path, home: Home) -> None:
    world = grown(tmp_path, home)
    seen, target = world.named(), world.target
    with target.read_session():
        contents = target.load_contents("demand")
        world.retention = LITTLE
        world.pass_time(days=60)
        assert in_child(lambda: None if world.look().error is None else os._exit(1)) == 0
        assert world.target.load_contents("demand") != contents
        assert all(target.fetch_file("demand", ref).stat().st_size == ref.size for ref in seen.values())


def test_readers_that_read_while_rows_and_files_go_see_no_error(tmp_path: Path, home: Home) -> None:
    """They observe, fetch what is named at that moment, and ask for the status, until the loop has pruned for six days."""
    world = grown(tmp_path, home)
    world.retention = LITTLE
    reads, writes = os.pipe()
    readers = [start_child(lambda: _read_until_closed(world, reads, writes)) for _ in range(2)]
    os.close(reads)
    try:
        world.settle()
    finally:
        os.close(writes)
    assert [exit_code_of(reader) for reader in readers] == [0, 0]
    assert len(world.target.load_releases("demand")) < 6


def _read_until_closed(world: Keeping, reads: int, writes: int) -> None:
    os.close(writes)
    while not select.select([reads], [], [], 0)[0]:
        target = world.target
        observed = target.observe_forecast("demand")
        assert all(seen.damage is None for seen in observed.resources.values())
        for run in target.load_runs("demand")[:3]:
            for ref in run.files.values():
                target.fetch_file("demand", ref)
        as_seen(world)


# --- by hand ----------------------------------------------------------------------------------------------------------------------


def plan_of(world: Keeping, *names: str, retention: Retention = LITTLE) -> PrunePlan:
    return PrunePlan(world.engine(), retention, {"demand": world.spec.forecast}, names or ("demand",), "ana")


def approve(_summary: str) -> None:
    """Say yes."""


def test_what_is_shown_goes_and_what_is_measured_writes_nothing(tmp_path: Path, home: Home) -> None:
    world = grown(tmp_path, home)
    world.pass_time(days=60)
    before = world.state()
    found = plan_of(world).measure("demand")
    assert world.state() == before
    counts = world.counts()
    plan = plan_of(world)
    plan.prune_all(approve)
    assert (plan.exit_code, plan.errors) == (Exit.DONE, [])
    goes = {tally.kind: tally.goes for tally in found.rows}
    after = world.counts()
    tables = {"releases": "releases", "versions": "versions", "forecasts": "runs", "steps": "steps"}
    assert {kind: counts[table] - after[table] for kind, table in tables.items()} == {
        kind: goes[kind] for kind in tables
    }
    assert goes["releases"] > 0
    assert found.files.goes == len(plan.done[0].waiting) > 0
    assert world.events()[-1] == "Pruned"
    world.pass_time(days=1)
    again = plan_of(world)
    again.prune_all(approve)
    assert set(again.done[0].removed) == set(plan.done[0].waiting)
    assert plan_of(world).measure("demand").row_count == 0


def counted_and_pruned(world: Keeping, *names: str) -> tuple[int, int, int]:
    """How many files of `demand` a dry run counts, and how many a prune of `names` then removes at once, and within a day."""
    counted = plan_of(world).measure("demand").files.goes
    plan = plan_of(world, *names)
    plan.prune_all(approve)
    (pruned,) = (pruned for pruned in plan.done if pruned.name == "demand")
    return counted, len(pruned.removed), len(pruned.waiting)


def test_a_dry_run_counts_what_an_interrupted_prune_has_let_go(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = grown(tmp_path, home)
    world.pass_time(days=60)
    goes = plan_of(world).measure("demand").files.goes

    def stop(*_words: object) -> None:
        raise Terminated

    with monkeypatch.context() as stopping:
        stopping.setattr(LocalTarget, "remove_unneeded_files", stop)
        with pytest.raises(StoppedPartWay):
            plan_of(world).prune_all(approve)
    assert counted_and_pruned(world) == (goes, 0, goes)
    world.pass_time(days=1)
    assert counted_and_pruned(world) == (goes, goes, 0)
    assert counted_and_pruned(world) == (0, 0, 0)


def test_a_file_counts_for_the_forecast_that_let_it_go_whichever_is_pruned_first(tmp_path: Path) -> None:
    world = grown(tmp_path)
    world.pass_time(days=60)
    plan_of(world).prune_all(approve)
    world.pass_time(days=1)
    before = world.files()
    another = plan_of(world, "another")
    another.prune_all(approve)
    assert (another.done[0].removed, world.files()) == ((), before)
    counted, removed, waiting = counted_and_pruned(world, "another", "demand")
    assert (removed, waiting) == (counted, 0)
    assert len(before - world.files()) == counted > 0


def test_a_file_that_another_forecast_names_does_not_count(tmp_path: Path) -> None:
    world = grown(tmp_path)
    world.pass_time(days=60)
    found = plan_of(world).measure("demand")
    shared = found.unneeded[0]
    with world.target.lock_forecast("other", "apply", "2024-03-01T00:00:00Z", 0.0):
        path = world.target.fetch_file("demand", shared)
        world.target.file_step(
            "other", step="check", key="k", outputs={"panel": path}, facts={}, at=world.engine().clock()
        )
    goes = found.files.goes - 1
    assert counted_and_pruned(world) == (goes, 0, goes)
    world.pass_time(days=1)
    assert counted_and_pruned(world) == (goes, goes, 0)
    assert counted_and_pruned(world) == (0, 0, 0)
    assert shared.sha256 in world.files()


def test_a_prune_that_is_not_approved_changes_nothing(tmp_path: Path) -> None:
    world = grown(tmp_path)
    before = world.state()

    def refuse(_summary: str) -> None:
        raise Refused("no", hint="")

    with pytest.raises(Refused):
        plan_of(world).prune_all(refuse)
    assert world.state() == before


def test_a_forecast_that_another_run_holds_stops_no_other(tmp_path: Path) -> None:
    world = grown(tmp_path)
    world.look()
    with world.target.lock_forecast("another", "apply", "2024-03-01T00:00:00Z", 0.0):
        plan = plan_of(world, "another", "demand")
        plan.prune_all(approve)
    assert [pruned.name for pruned in plan.done] == ["demand"]
    assert plan.exit_code == Exit.PARTIAL


def test_a_forecast_that_was_destroyed_is_pruned_too(tmp_path: Path) -> None:
    world = grown(tmp_path)
    world.pass_time(days=60)
    world.target.remove_forecast(
        "demand", ("data", "model", "deployment", "forecast"), purge=False, at="2024-06-01T00:00:00Z"
    )
    plan = plan_of(world)
    plan.prune_all(approve)
    assert plan.errors == []
    assert len(world.target.load_releases("demand")) == LITTLE.releases
