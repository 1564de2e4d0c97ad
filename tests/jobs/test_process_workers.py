"""All processors of a machine, and the same bytes as one of them: each share of the series is forecast by a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec import processors
from mlspec.engine import process_pool
from mlspec.engine.process_pool import run_in_processes
from mlspec.errors import DamagedModel, ModelError, TargetError, Terminated, UsageError
from mlspec.forecast import trees
from mlspec.forecast.artifact import ModelArtifact
from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import ChosenCandidate, fit_candidate
from mlspec.forecast.frame import ID, MEAN, Panel
from mlspec.forecast.workers import FEWEST_SERIES, THIS_PROCESS, forecast_blocks, split_panel
from mlspec.jobs import isolation, tree_process
from mlspec.jobs.isolation import forecast_apart
from mlspec.jobs.process_workers import LEAST_ROWS, ProcessWorkers, processors_of_this_machine
from mlspec.jobs.runtime import single_threaded
from mlspec.spec.candidates import GradientBoosting, Theta
from tests.forecast.test_stored_panel import PARTED
from tests.forecast.test_workers import DAYS, panel
from tests.tools import needs_linux
from tests.waiting import PATIENCE

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
MEMORY = 2**30
PANEL = panel(3 * FEWEST_SERIES)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Any:
    """As in a step."""
    with single_threaded():
        yield


@pytest.mark.parametrize("candidate", [
    Theta(kind="theta"),
    GradientBoosting(kind="gradient-boosting", lags=(1, 7), iterations=20),
    GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=20),
], ids=lambda candidate: f"{candidate.kind}-{getattr(candidate, 'library', '')}")  # fmt: skip
def test_any_number_of_processors_makes_the_same_model_and_the_same_forecast(candidate: Any) -> None:
    alone = fit_candidate(candidate, PANEL, 0, THIS_PROCESS)
    expected = forecast_means(alone, PANEL, candidate.label)
    for number in (1, 2, 3):
        workers = ProcessWorkers(number, MEMORY)
        fitted = fit_candidate(candidate, PANEL, 0, workers)
        assert fitted.to_bytes() == alone.to_bytes()
        made = forecast_means(fitted, PANEL, candidate.label, workers)
        pd.testing.assert_frame_equal(made, expected, check_exact=True)


def process_ids(share: Panel) -> pd.DataFrame:
    return share.series[[ID]].assign(process=os.getpid())


def test_each_share_has_a_process_of_its_own_and_the_results_are_in_order() -> None:
    workers = ProcessWorkers(2, MEMORY)
    shares = list(split_panel(PANEL, 5))
    made = workers.forecast_shares(process_ids, shares)
    assert [list(part[ID]) for part in made] == [list(share.series[ID]) for share in shares]
    assert len({part["process"].iloc[0] for part in made} - {os.getpid()}) == 5


def test_few_series_are_forecast_by_the_step_itself() -> None:
    workers = ProcessWorkers(4, MEMORY)
    (made,) = workers.forecast_shares(process_ids, forecast_blocks(panel(FEWEST_SERIES), workers))
    assert set(made["process"]) == {os.getpid()}
    assert len(list(forecast_blocks(panel(2 * FEWEST_SERIES), workers))) == 2
    assert workers.forecast_shares(process_ids, []) == []


def test_shares_are_as_small_as_the_memory_asks_for() -> None:
    rows = 2 * LEAST_ROWS
    assert ProcessWorkers(2, 2 * rows * 320).most_rows == rows
    assert ProcessWorkers(4, 2 * rows * 320).most_rows == LEAST_ROWS  # four at once have half of the room each
    whole = panel(1 + LEAST_ROWS // DAYS)
    assert len(list(forecast_blocks(whole, ProcessWorkers(1, 0)))) == 2


def fail(_share: Panel) -> pd.DataFrame:
    raise ModelError("too little history", hint="bring more")


def test_the_error_of_a_share_is_the_error_of_the_step() -> None:
    with pytest.raises(ModelError, match="too little history") as caught:
        ProcessWorkers(2, MEMORY).forecast_shares(fail, split_panel(PANEL, 4))
    assert caught.value.hint == "bring more"


def end_by_kill(_share: Panel) -> pd.DataFrame:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("is not reached")


def test_a_process_that_the_system_ends_is_told_with_what_to_do() -> None:
    with pytest.raises(TargetError, match="a share of the series was ended by SIGKILL") as caught:
        ProcessWorkers(2, MEMORY).forecast_shares(end_by_kill, split_panel(PANEL, 2))
    assert "memory" in str(caught.value.hint)


def test_a_signal_to_the_step_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[int] = []
    fork = isolation._fork

    def fork_and_note() -> int:
        children.append(fork())
        return children[-1]

    def hear(_number: int, _frame: object) -> None:
        raise Terminated

    def ask_and_wait(share: Panel) -> pd.DataFrame:
        if "s02" in set(share.series[ID]):  # the last one: the others wait already
            os.kill(os.getppid(), signal.SIGUSR1)
        os.read(os.pipe()[0], 1)
        return share.series

    monkeypatch.setattr(isolation, "_fork", fork_and_note)
    before = signal.signal(signal.SIGUSR1, hear)
    try:
        with pytest.raises(Terminated):
            ProcessWorkers(3, MEMORY).forecast_shares(ask_and_wait, split_panel(PANEL, 3))
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert children
    for child in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


def test_a_step_that_is_killed_while_processes_make_the_features_of_parts_leaves_no_process_and_no_file(
    tmp_path: Path,
) -> None:
    """Neither the processes of the parts, nor the one that waits to fit the trees, nor the file with the features."""
    needs_linux("only its kernel ends a process with the one that forked it")
    receiver, sender = os.pipe()
    step = os.fork()
    if step == 0:
        try:
            fit_until_two_parts_are_written(sender, tmp_path)
        finally:
            os._exit(1)
    os.close(sender)
    with os.fdopen(receiver, encoding="ascii") as said:
        words = [said.readline().split() for _ in range(2 + 1)]
        processes = [os.pidfd_open(int(pid)) for _, pid in words]
        assert sorted(kind for kind, _ in words) == ["features", "features", "trees"]
        os.kill(step, signal.SIGKILL)
        os.waitpid(step, 0)
        for process in processes:  # it can be read when it has ended
            assert select.select([process], [], [], PATIENCE)[0]
            os.close(process)
    assert list(tmp_path.iterdir()) == []


def fit_until_two_parts_are_written(sender: int, folder: Path) -> None:
    """Fit trees to a panel in parts, and say the id of each process that is started; those of the parts then wait for ever."""

    def say(kind: str, pid: int) -> None:
        os.write(sender, f"{kind} {pid}\n".encode())

    def start_and_say(*job: Any) -> tree_process.StartedFit:
        started = start(*job)
        say("trees", started.process.pid)
        return started

    def write_and_wait(rows: tree_process.StoredRows, *part: Any) -> None:
        write(rows, *part)
        say("features", os.getpid())
        signal.pause()

    start, write = tree_process._start, tree_process.StoredRows.write
    tempfile.tempdir = str(folder)
    tree_process._start, tree_process.StoredRows.write = start_and_say, write_and_wait  # type: ignore[assignment,method-assign]
    candidate = GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=5)
    fit_candidate(candidate, PARTED, 0, ProcessWorkers(2, MEMORY, fewest_rounds=0))


def test_the_processors_are_those_of_the_container(tmp_path: Path) -> None:
    def write(name: str, text: str) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)

    own = processors.usable_processors({}, tmp_path)
    assert own == len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else own >= 1
    write("proc/self/cgroup", "0::/box\n")
    write("sys/fs/cgroup/box/cpu.max", "max 100000\n")
    assert processors.usable_processors({}, tmp_path) == own
    write("sys/fs/cgroup/cpu.max", "100000 100000\n")  # of the group above
    assert processors.usable_processors({}, tmp_path) == 1
    write("sys/fs/cgroup/box/cpu.max", "50000 100000\n")  # half of one
    assert processors.usable_processors({}, tmp_path) == 1
    write("proc/self/cgroup", "4:cpu,cpuacct:/old\n")
    write("sys/fs/cgroup/cpu/old/cpu.cfs_quota_us", "-1\n")
    write("sys/fs/cgroup/cpu/old/cpu.cfs_period_us", "100000\n")
    assert processors.usable_processors({}, tmp_path) == own
    write("sys/fs/cgroup/cpu/old/cpu.cfs_quota_us", "100000\n")
    assert processors.usable_processors({}, tmp_path) == 1
    assert processors.usable_processors({"MLSPEC_PROCESSORS": "7"}, tmp_path) == 7


@pytest.mark.parametrize("text", ["0", "-1", "2.5", "many", "1000000"])
def test_a_number_of_processors_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no number of processors"):
        processors.usable_processors({"MLSPEC_PROCESSORS": text})


def test_forecasts_that_are_worked_on_at_once_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLSPEC_PROCESSORS", "6")
    assert processors_of_this_machine().at_once == 6
    count = [lambda: processors_of_this_machine().at_once] * 3
    assert run_in_processes(count, 8, lambda *_: 0) == [2, 2, 2]
    assert run_in_processes(count[:1], 8, lambda *_: 0) == [6]
    assert run_in_processes([*count, *count, *count], 9, lambda *_: 0) == [1] * 9
    assert os.environ["MLSPEC_PROCESSORS"] == "6"


def test_a_process_ends_well_where_the_loop_that_wants_its_result_was_killed() -> None:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    receiver.close()
    child = multiprocessing.get_context("fork").Process(
        target=process_pool._run_child, args=(lambda: "done", sender, 1)
    )
    child.start()
    child.join()
    assert child.exitcode == 0


def test_a_mean_is_the_one_of_its_series_whatever_share_it_was_in() -> None:
    fitted = fit_candidate(Theta(kind="theta"), PANEL, 0)
    whole = forecast_means(fitted, PANEL, "theta").set_index(ID)[MEAN]
    some = PANEL.select_series(PANEL.series[ID].iloc[[3, 11]])
    assert forecast_means(fitted, some, "theta").set_index(ID)[MEAN].equals(whole.loc[["s03", "s11"]])


@pytest.mark.parametrize("library", ["scikit-learn", "lightgbm"])
def test_trees_of_a_panel_in_parts_forecast_each_part_in_a_process_that_reads_them(library: str) -> None:
    candidate = GradientBoosting(kind="gradient-boosting", library=library, lags=(1, 7), iterations=12)  # type: ignore[arg-type]
    fitted = fit_candidate(candidate, PARTED, 0)
    model = ModelArtifact(ChosenCandidate(candidate), ((candidate, fitted.to_bytes()),), 0)
    expected = forecast_apart(model, PARTED, "the model")  # one process for all
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "load_trees", _note_process(trees.load_trees))
        for number in (1, 3):
            made = forecast_apart(model, PARTED, "the model", ProcessWorkers(number, MEMORY))
            pd.testing.assert_frame_equal(made, expected, check_exact=True)
    by_backtest = forecast_means(fitted, PARTED, "trees", ProcessWorkers(3, MEMORY))
    pd.testing.assert_frame_equal(by_backtest, expected, check_exact=True)


def _note_process(load: Any) -> Any:
    """Load trees anywhere but in the process of the test."""
    step = os.getpid()

    def load_elsewhere(data: bytes, library: str) -> Any:
        assert os.getpid() != step
        return load(data, library)

    return load_elsewhere


def test_a_file_that_ends_the_process_of_a_part_is_told_as_damaged_also_where_a_single_part_is_forecast() -> None:
    step = os.getpid()

    class Crashing:
        def forecast(self, _panel: Any, workers: Any, **_how: Any) -> pd.DataFrame:
            (frame,) = workers.forecast_shares(_end_process, [step])
            return frame  # type: ignore[no-any-return]

        members = ((GradientBoosting(kind="gradient-boosting"), b"trees"),)

    with pytest.raises(DamagedModel, match=r"the model v1 cannot be used: .* was ended by SIGSEGV"):
        forecast_apart(Crashing(), PARTED, "the model v1", ProcessWorkers(2, MEMORY))  # type: ignore[arg-type]


def _end_process(step: int) -> pd.DataFrame:
    """End this process, as compiled code that follows a wrong number does, unless it is that of the step."""
    assert os.getpid() != step
    os.kill(os.getpid(), signal.SIGSEGV)
    return pd.DataFrame()
