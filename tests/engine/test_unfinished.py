"""The folder for what a step has made so far: of one key, for one user, and gone when the step is done."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.engine.unfinished import ResultFolder, keep_unfinished
from mlspec.state.step import Progress, ResultStore, StepRequest, StepResult
from tests.engine.steps import Steps, engine, spec
from tests.examples import project


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def stop(name: str, key: str) -> Path:
    """Return the folder of a step that was stopped."""
    stores: list[ResultFolder | None] = []
    with suppress(KeyboardInterrupt), keep_unfinished(name, record="r", step="check", key=key) as store:
        stores.append(store)
        raise KeyboardInterrupt
    (stopped,) = stores
    assert stopped is not None
    return stopped.folder


def test_what_a_stopped_step_leaves_is_there_for_the_next_run_with_the_same_key_and_then_gone(temporary: Path) -> None:
    (stop("demand", "k1") / "part").write_text("done")
    with keep_unfinished("demand", record="r", step="check", key="k1") as store:
        assert store is not None
        assert store.read_result("part") == b"done"
        assert store.folder.stat().st_mode & 0o077 == 0
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


def test_other_data_begin_anew_and_other_forecasts_are_left_alone() -> None:
    old, other, new = stop("demand", "k1"), stop("bikes", "k1"), stop("demand", "k2")
    assert (old.exists(), other.exists(), new.exists()) == (False, True, True)


def test_a_folder_that_another_user_could_write_to_is_not_used(temporary: Path) -> None:
    with keep_unfinished("demand", record="r", step="check", key="k1"):
        (base,) = temporary.iterdir()
    base.chmod(0o777)
    with keep_unfinished("demand", record="r", step="check", key="k1") as store:
        assert store is None
    base.rmdir()
    (temporary / "elsewhere").mkdir(mode=0o700)
    base.symlink_to(temporary / "elsewhere")
    with keep_unfinished("demand", record="r", step="check", key="k1") as store:
        assert store is None


def test_check_and_backtest_get_a_folder_of_their_own_key(tmp_path: Path) -> None:
    class Noting(Steps):
        def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
            kept[request.step] = request.kept
            return super().__call__(request, progress)

    kept: dict[str, ResultStore | None] = {}
    apply_specs(engine(project(tmp_path / "project"), Noting()), [spec()])
    assert {step for step, store in kept.items() if store is not None} == {"check", "backtest"}
    assert kept["check"] != kept["backtest"]
