"""Whatever stops a run - a signal, a kill at any microsecond, a machine that lacks something - the next one goes on from there."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.engine.plan import make_plan
from mlspec.errors import Exit, StoppedPartWay, TargetError, Terminated
from mlspec.state.step import Progress, StepRequest, StepResult
from tests.engine.steps import Steps, engine, spec
from tests.engine.test_crash import converges
from tests.examples import project
from tests.forked import in_child

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


class Stopped(Steps):
    """Steps in the middle of one of which something is raised."""

    def __init__(self, at: str, error: BaseException) -> None:
        super().__init__()
        self.at, self.error = at, error

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        if request.step == self.at:
            raise self.error
        return super().__call__(request, progress)


@pytest.mark.parametrize(("error", "name"), [(KeyboardInterrupt(), "SIGINT"), (Terminated(), "SIGTERM")])
def test_a_signal_half_way_is_recorded_and_the_next_run_goes_on(root: Path, error: BaseException, name: str) -> None:
    with pytest.raises(StoppedPartWay, match=f"stopped by {name}") as caught:
        apply_specs(engine(root, Stopped("train", error)), [spec()])
    assert caught.value.exit_code == Exit.PARTIAL
    steps = Steps()
    (outcome,) = apply_specs(engine(root, steps), [spec()])
    assert (outcome.status, steps.asked) == ("applied", ["train", "forecast", "inventory"])


def test_a_signal_before_anything_is_written_is_no_part_way(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlspec.targets.record.locking.time.sleep", _terminate)
    with engine(root).target.lock_forecast("demand", "apply", "t", 0.0), pytest.raises(Terminated):
        apply_specs(engine(root), [spec()], lock_timeout=60.0)
    assert engine(root).target.serial == 0


def _terminate(_seconds: float) -> None:
    raise Terminated


def test_a_signal_in_the_second_forecast_keeps_the_first(root: Path) -> None:
    class Second(Stopped):
        def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
            self.at = "check" if request.spec["metadata"]["name"] == "second" else ""
            return super().__call__(request, progress)

    with pytest.raises(StoppedPartWay):
        apply_specs(engine(root, Second("", KeyboardInterrupt())), [spec("first"), spec("second")])
    steps = Steps()
    outcomes = apply_specs(engine(root, steps), [spec("first"), spec("second")])
    assert [outcome.status for outcome in outcomes] == ["nothing", "applied"]


def test_a_stop_frees_the_lock(root: Path) -> None:
    with pytest.raises(StoppedPartWay):
        apply_specs(engine(root, Stopped("train", KeyboardInterrupt())), [spec()])
    with engine(root).target.lock_forecast("demand", "apply", "t", 0.0):
        pass


def test_that_a_disk_is_full_is_said_in_words(root: Path) -> None:
    (outcome,) = apply_specs(engine(root, Stopped("backtest", OSError(28, "No space left on device"))), [spec()])
    assert isinstance(outcome.error, TargetError)
    assert "free some space" in (outcome.error.hint or "")
    assert outcome.exit_code == Exit.PARTIAL
    converges(root)


def litter(root: Path) -> set[str]:
    """The files of the target's folder that no record names."""
    folder, target = root / ".mlspec", engine(root).target
    named = {ref.sha256 for filed in target.load_versions("demand") for ref in filed.files.values()}
    named |= {ref.sha256 for run in target.load_runs("demand") for ref in run.files.values()}
    named |= {
        ref.sha256 for seen in target.observe_forecast("demand").resources.values() for ref in seen.files.values()
    }
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if Path(name).name not in named} - {"state.db", "locks/demand.lock"}


def test_a_kill_at_any_moment_is_finished_by_the_next_and_leaves_no_litter(tmp_path: Path) -> None:
    """The write points of test_crash are places in the code; here the kernel kills at moments: inside a commit, a copy, a sync."""
    whole = project(tmp_path / "whole")
    began = time.monotonic()
    assert in_child(lambda: apply_specs(engine(whole), [spec()])) == 0
    taken = time.monotonic() - began
    chance, killed = random.Random(5), 0
    for number in range(40):
        root = project(tmp_path / str(number))
        moment = chance.uniform(0.05, 1.0) * taken

        def apply_until(root: Path = root, moment: float = moment) -> None:
            # A real timer's signal ends the process as SIGKILL does: no handler, no cleaning up.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, moment)
            apply_specs(engine(root), [spec()])

        hit = in_child(apply_until) == -signal.SIGALRM
        killed += hit
        if not hit:
            taken *= (
                0.7  # the probe met a slow moment of the machine: this run outran its timer, so the next ones get less
            )
        converges(root)
        assert litter(root) == set()
        shutil.rmtree(root)
        if killed == 12:
            break
    assert killed >= 4


def test_a_plan_heals_what_a_killed_writer_left(root: Path) -> None:
    """A commit that was cut off leaves SQLite's journal; a run that only reads sees the state as it was before it."""
    apply_specs(engine(root), [spec()])
    before = engine(root).target.serial

    def die_inside_a_transaction() -> None:
        connection = engine(root).target._database._open_connection("rw")
        connection.execute("PRAGMA cache_spill = 1")
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE meta SET value = '999' WHERE key = 'serial'")
        for number in range(200):
            words = ("demand", "model.demand", "started", "x" * 4000, str(number))
            connection.execute(
                "INSERT INTO journal (forecast, resource, phase, detail, at) VALUES (?, ?, ?, ?, ?)", words
            )
        signal.raise_signal(signal.SIGKILL)

    assert in_child(die_inside_a_transaction) == -signal.SIGKILL
    assert (root / ".mlspec/state.db-journal").stat().st_size > 0
    assert make_plan(engine(root), [spec()], None).is_empty
    assert engine(root).target.serial == before
