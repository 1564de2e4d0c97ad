"""Trees by several threads: the same bytes as by one, from a process that is no fork, which leaves nothing behind."""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from mlspec.errors import Defect, TargetError, Terminated
from mlspec.forecast import trees
from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import fit_candidate, wants_whole
from mlspec.forecast.candidates.boosting import load_boosted
from mlspec.forecast.estimators import Array, TreeSettings, build_estimator
from mlspec.forecast.workers import THIS_PROCESS
from mlspec.jobs import tree_process
from mlspec.jobs.process_workers import ProcessWorkers
from mlspec.jobs.runtime import single_threaded
from mlspec.jobs.tree_process import FEWEST_ROUNDS, LARGE_FEATURES, StartedFit, StoredRows, TreeProcess
from mlspec.spec.candidates import GradientBoosting
from tests.forecast.test_workers import panel

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("scikit-learn", "lightgbm")
MEMORY = 2**30


def settings(library: str, *, seed: int = 0) -> TreeSettings:
    return TreeSettings(library, iterations=8, learning_rate=0.1, max_leaves=15, seed=seed)


def sales(seed: int, rows: int = 9_000) -> tuple[Array, Array]:
    """Features with lags that are missing at first, a column with few values, and a target that is often zero."""
    generator = np.random.default_rng(seed)
    features = np.asfortranarray(generator.normal(size=(rows, 6)))
    features[:, 3] = generator.integers(0, 7, rows)
    features[:50, 0], features[9:, 5] = np.nan, np.nan
    return features, np.where(generator.random(rows) < 0.5, 0, np.abs(features[:, 1]) + features[:, 3])


def fit_here(library: str, features: Array, target: Array, seed: int) -> bytes:
    with single_threaded():
        return trees.dump_trees(build_estimator(settings(library, seed=seed)).fit(features, target), library)


def store(threads: int, options: TreeSettings, features: Array, target: Array) -> StoredRows:
    """Write rows as a training does: part by part, and not in their order."""
    rows = TreeProcess(threads, 0).open_rows(options, *features.shape)
    assert rows
    middle = len(target) // 3
    rows.write(middle, features[middle:], target[middle:])
    rows.write(0, features[:middle], target[:middle])
    return rows


def start_here(threads: int, library: str, seed: int = 0) -> StartedFit:
    options = settings(library, seed=seed)
    return store(threads, options, *sales(seed)).start()


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(("seed", "threads"), [(0, 2), (1, 3)])
def test_any_number_of_threads_makes_the_same_bytes(library: str, seed: int, threads: int) -> None:
    features, target = sales(seed)
    assert start_here(threads, library, seed).finish() == fit_here(library, features, target, seed)


@pytest.mark.parametrize("library", LIBRARIES)
def test_features_by_row_make_the_same_trees_as_by_column(library: str) -> None:
    features, target = sales(0)
    rows = store(2, settings(library), np.ascontiguousarray(features), target)
    assert rows.fit(settings(library)).dumped == fit_here(library, features, target, 0)


def test_bins_are_made_from_the_same_rows_of_a_file_as_of_an_array() -> None:
    """LightGBM makes them from 200,000 rows that it draws."""
    features, target = sales(0, rows=200_100)
    options = replace(settings("lightgbm", seed=3), iterations=2)
    with single_threaded():
        here = trees.dump_trees(build_estimator(options).fit(features, target), "lightgbm")
    assert store(2, options, features, target).fit(options).dumped == here


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_candidate_of_several_threads_is_that_of_one(library: Any) -> None:
    candidate = GradientBoosting(kind="gradient-boosting", library=library, lags=(1, 7), iterations=12)
    whole = panel(12)
    with single_threaded():
        alone = fit_candidate(candidate, whole, 0, THIS_PROCESS)
        fitted = fit_candidate(candidate, whole, 0, ProcessWorkers(2, MEMORY, fewest_rounds=0))
        data = cast("bytes", fitted.to_bytes())
        assert data == alone.to_bytes() == load_boosted(candidate, data).to_bytes()
        expected = forecast_means(alone, whole, "trees")
        assert forecast_means(fitted, whole, "trees").equals(expected)


def test_the_workers_of_a_step_fit_trees_by_all_their_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    start = tree_process._start

    def note(job: dict[str, Any], stored: Any, threads: int) -> StartedFit:
        started.append(threads)
        return start(job, stored, threads)

    monkeypatch.setattr(tree_process, "_start", note)
    candidate = GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=5)
    for processors in (1, 3):
        fit_candidate(candidate, panel(12), 0, ProcessWorkers(processors, MEMORY, fewest_rounds=0))
    assert started == [3]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_training_changes_nothing_of_its_panel_and_its_own_forecast_is_that_of_the_file(library: Any) -> None:
    candidate = GradientBoosting(kind="gradient-boosting", library=library, lags=(1, 7), iterations=12)
    whole = panel(12)
    before = whole.frame.copy(deep=True)
    with single_threaded():
        for processors in (1, 2):
            workers = ProcessWorkers(processors, MEMORY)
            fitted = fit_candidate(candidate, whole, 0, workers)
            pd.testing.assert_frame_equal(whole.frame, before, check_exact=True)
            made = forecast_means(fitted, whole, "trees", workers)
            read = load_boosted(candidate, cast("bytes", fitted.to_bytes()))
            assert wants_whole(fitted, whole)
            assert not wants_whole(read, whole)
            assert not wants_whole(fitted, whole.select_series(whole.series["unique_id"].iloc[:8]))
            pd.testing.assert_frame_equal(made, forecast_means(read, whole, "trees", workers), check_exact=True)
            pd.testing.assert_frame_equal(made, forecast_means(fitted, whole, "trees", workers), check_exact=True)


def test_few_trees_start_no_process() -> None:
    assert TreeProcess(2).open_rows(settings("lightgbm"), FEWEST_ROUNDS // 8 - 1, 1) is None


def test_one_thread_has_a_file_for_many_features_alone() -> None:
    most = LARGE_FEATURES // (8 * 4)
    assert TreeProcess(1, 0).open_rows(settings("lightgbm"), most - 1, 4) is None
    rows = TreeProcess(1, 0).open_rows(settings("lightgbm"), most, 4)
    assert rows
    rows.close()


def test_without_room_for_the_features_one_thread_fits(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", no_room)
    with caplog.at_level(logging.INFO):
        assert TreeProcess(2, 0).open_rows(settings("lightgbm"), 9_000, 6) is None
    assert "trees are fitted by one thread" in caplog.text
    assert "No space left on device" in caplog.text


def test_a_process_that_the_system_ends_is_told_with_what_to_do() -> None:
    started = start_here(2, "lightgbm")
    started.process.kill()
    with pytest.raises(TargetError, match="trained trees was ended by SIGKILL") as caught:
        started.finish()
    assert "memory" in str(caught.value.hint)


def test_a_process_without_memory_is_an_error_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import sys; sys.exit(3)"
    monkeypatch.setattr(tree_process, "_CODE", code)
    with pytest.raises(MemoryError):
        start_here(2, "lightgbm").finish()


def test_trees_that_cannot_be_fitted_say_why() -> None:
    features, target = sales(0)
    rows = store(2, settings("scikit-learn"), features, np.full_like(target, np.nan))
    with pytest.raises(Defect, match=r"trees cannot be trained: ValueError: .*NaN"):
        rows.fit(settings("scikit-learn"))


def test_a_training_that_fails_before_its_rows_are_written_leaves_no_process_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process is started first, and waits for the rows."""
    started: list[StartedFit] = []
    start = tree_process._start
    monkeypatch.setattr(tree_process, "_start", lambda *job: started.append(start(*job)) or started[-1])

    def stop(*_: object) -> None:
        raise Terminated

    monkeypatch.setattr(StoredRows, "write", stop)
    candidate = GradientBoosting(kind="gradient-boosting", lags=(1, 7), iterations=5)
    with pytest.raises(Terminated):
        fit_candidate(candidate, panel(12), 0, ProcessWorkers(2, MEMORY, fewest_rounds=0))
    assert [one.process.poll() for one in started] == [-signal.SIGKILL]


class InterruptedPipe:
    """A pipe that a signal to the step interrupts."""

    def read(self) -> bytes:
        raise Terminated

    def close(self) -> None:
        pass


def test_a_signal_to_the_step_leaves_no_process_behind() -> None:
    started = start_here(2, "lightgbm")
    with cast("Any", started.process.stdout):
        started.process.stdout = cast("Any", InterruptedPipe())
        with pytest.raises(Terminated):
            started.finish()
    assert started.process.poll() == -signal.SIGKILL


def test_the_process_ends_with_the_one_that_started_it() -> None:
    slow = TreeSettings("lightgbm", iterations=10_000, learning_rate=0.01, max_leaves=31, seed=0)
    started = store(2, slow, *sales(0)).start()
    cast("Any", started.process.stdin).close()
    assert started.process.wait(120) == 1
    started.stop()


# A user's own program: it has used threads of OpenMP, and then trains and forecasts. The process of a step never has.
_OPENMP_BEFORE = """
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_info
from tests.jobs.test_tree_process import *
features, target = sales(0)
HistGradientBoostingRegressor(max_iter=5).fit(features, target)
assert any(each["user_api"] == "openmp" and each["num_threads"] == 3 for each in threadpool_info())
candidate = GradientBoosting(kind="gradient-boosting", library="LIBRARY", lags=(1, 7), iterations=12)
whole = panel(24)
with single_threaded():
    workers = ProcessWorkers(2, MEMORY, fewest_rounds=0)
    fitted = fit_candidate(candidate, whole, 0, workers)
    forecast_means(fitted, whole, "trees", workers)
print(hashlib.sha256(fitted.to_bytes()).hexdigest())
"""


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_program_that_used_threads_of_openmp_before_does_not_hang(library: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OPENMP_BEFORE.replace("LIBRARY", library)], capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "3", "OMP_WAIT_POLICY": "PASSIVE"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    candidate = GradientBoosting(kind="gradient-boosting", library=library, lags=(1, 7), iterations=12)
    with single_threaded():
        alone = cast("bytes", fit_candidate(candidate, panel(24), 0, THIS_PROCESS).to_bytes())
    assert done.stdout.strip() == hashlib.sha256(alone).hexdigest()
