"""A step that is killed with kill -9 goes on from what it had made: the same bytes, and nothing is made twice."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec import jobs
from mlspec.engine.unfinished import ResultFolder
from mlspec.forecast import candidates
from mlspec.jobs import kept_results
from mlspec.jobs.built_panel import PanelBuilder
from mlspec.jobs.kept_results import KeptResults, pack_frames, unpack_frames
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.state.resource import digest
from mlspec.state.step import ResultStore, StepName, StepRequest
from tests.jobs.test_check_in_parts import dealt_into

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
PARTS = 4
SHOPS = [f"shop {number}" for number in range(9)]


@pytest.fixture(autouse=True)
def keep_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep also what takes less than two seconds."""
    monkeypatch.setattr(kept_results, "WORTH_KEEPING", 0.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rows = [
        f"{shop},{day.date()},{(number * day.day) % 7}"
        for number, shop in enumerate(SHOPS)
        for day in pd.date_range("2024-01-01", periods=40)
    ]
    (tmp_path / "sales.csv").write_text("\n".join(["shop,day,units", *rows]))
    return tmp_path


def spec() -> dict[str, Any]:
    return resolved_json(Forecast.model_validate({
        "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": "demand"},
        "dataset": {"source": {"uri": "sales.csv"}, "time": "day", "series": ["shop"], "target": "units", "frequency": "D"},
        "model": {"horizon": 3, "candidates": [{"kind": "seasonal-naive"}, {"kind": "croston"}], "backtest": {"windows": 2}},
    }))  # fmt: skip


def run(
    step: StepName, root: Path, name: str, kept: Path | None, inputs: dict[str, Path] | None = None
) -> dict[str, Path]:
    """Run a step in four parts, and return its files by role."""
    (root / name).mkdir()
    options = {"now": "2024-03-01T00:00:00Z"} if step == "check" else {}
    store = None if kept is None else ResultFolder(kept)
    request = StepRequest(step, spec(), root, root / name, inputs or {}, options, store)
    with dealt_into(PARTS):
        return dict(jobs.run(request, lambda *_words: None).outputs)


def contents(files: dict[str, Path]) -> dict[str, bytes]:
    return {role: path.read_bytes() for role, path in files.items()}


def kill_after(results: int, work: Callable[[], object]) -> int:
    """Do work in a process that is killed once so many results are kept; return how it ended."""
    child = os.fork()
    if child == 0:
        write, count = kept_results._write_frames, 0

        def write_and_stop(store: ResultStore, name: str, frames: kept_results.Frames) -> None:
            nonlocal count
            write(store, name, frames)
            count += 1
            if count == results:
                os.kill(os.getpid(), signal.SIGKILL)

        kept_results._write_frames = write_and_stop
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def count_calls(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[object]:
    calls: list[object] = []
    whole = getattr(owner, name)

    def counted(*words: Any, **options: Any) -> Any:
        calls.append(words)
        return whole(*words, **options)

    monkeypatch.setattr(owner, name, counted)
    return calls


@pytest.mark.parametrize("done", [1, PARTS - 1])
def test_a_check_that_is_killed_builds_the_other_parts_only(
    root: Path, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    kept = root / "kept"
    kept.mkdir()
    assert kill_after(done, lambda: run("check", root, "killed", kept)) == -signal.SIGKILL
    assert not list((root / "killed").glob("*.parquet"))  # no half panel
    built = count_calls(monkeypatch, PanelBuilder, "_build_part")
    again = contents(run("check", root, "again", kept))
    assert len(built) == PARTS - done
    assert again == contents(run("check", root, "whole", None))


def test_a_backtest_that_is_killed_fits_the_other_candidates_and_windows_only(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = root / "kept"
    kept.mkdir()
    panel = run("check", root, "check", None)
    assert kill_after(3, lambda: run("backtest", root, "killed", kept, panel)) == -signal.SIGKILL
    fits = count_calls(monkeypatch, candidates, "fit_candidate")
    again = contents(run("backtest", root, "again", kept, panel))
    assert len(fits) == 1  # of two candidates in two windows
    assert again == contents(run("backtest", root, "whole", None, panel))


def test_a_result_that_is_damaged_or_half_written_is_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame, results = pd.DataFrame({"a": [1]}), KeptResults(ResultFolder(tmp_path))
    results.make("key", lambda: {"one": frame})
    (file,) = tmp_path.iterdir()
    assert results.make("key", dict)["one"].equals(frame)
    assert results.make("other", lambda: {"two": frame}).keys() == {"two"}
    file.write_bytes(file.read_bytes()[:-1])
    with caplog.at_level(logging.INFO):
        assert results.make("key", lambda: {"new": frame}).keys() == {"new"}
    assert "cannot be read, and is made again: its digest is not the one" in caplog.text
    assert results.make("key", dict)["new"].equals(frame)  # and it is whole again


def test_a_result_under_the_name_of_another_is_not_taken(tmp_path: Path) -> None:
    frame, results = pd.DataFrame({"a": [1]}), KeptResults(ResultFolder(tmp_path))
    results.make("key", lambda: {"one": frame})
    (file,) = tmp_path.iterdir()
    file.rename(tmp_path / digest("other", 40))
    assert results.make("other", lambda: {"two": frame}).keys() == {"two"}


FRAMES = {
    "one": pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
    "none": pd.DataFrame({"a": pd.Series([], dtype="float64")}),
}
PACKED = pack_frames("name", FRAMES)


@given(place=st.integers(0, len(PACKED) - 1), byte=st.integers(0, 255))
def test_a_result_that_is_cut_or_changed_at_any_place_is_refused(place: int, byte: int) -> None:
    taken = unpack_frames("name", PACKED)
    assert taken.keys() == FRAMES.keys()
    assert all(taken[name].equals(frame) for name, frame in FRAMES.items())
    changed = PACKED[:place] + bytes([byte]) + PACKED[place + 1 :]
    for damaged in {PACKED[:place], changed} - {PACKED}:
        with pytest.raises(ValueError, match="digest"):
            unpack_frames("name", damaged)


def test_where_nothing_can_be_kept_the_step_goes_on(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]})
    gone = KeptResults(ResultFolder(tmp_path / "gone"))
    assert gone.make("key", lambda: {"one": frame})["one"] is frame
    assert not (tmp_path / "gone").exists()


def test_a_result_behind_a_link_is_not_taken(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1]})
    (tmp_path / "own").mkdir()
    (tmp_path / "foreign").mkdir()
    results = KeptResults(ResultFolder(tmp_path / "own"))
    KeptResults(ResultFolder(tmp_path / "foreign")).make("key", lambda: {"one": frame})
    (file,) = (tmp_path / "foreign").iterdir()
    before = file.read_bytes()
    (tmp_path / "own" / file.name).symlink_to(file)
    assert results.make("key", lambda: {"two": frame}).keys() == {"two"}
    assert file.read_bytes() == before  # and nothing is written through it
