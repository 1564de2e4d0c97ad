"""A temporary folder goes with its process: also with one that is killed, once another process makes one."""

from __future__ import annotations

import errno
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlspec import temporary_folder as module
from mlspec.errors import TargetError
from mlspec.temporary_folder import LOCK, remove_abandoned, temporary_folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(module, "_cleared", set())
    return tmp_path


def in_another_process(work: Callable[[], None]) -> None:
    """Run `work` in a fork, and wait until it has ended."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def leave_a_folder() -> None:
    with temporary_folder() as folder:
        (folder / "panel.parquet").write_text("rows")
        os.kill(os.getpid(), signal.SIGKILL)


def test_it_is_empty_for_this_user_alone_and_gone_at_the_end(place: Path) -> None:
    with temporary_folder() as folder:
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "panel.parquet").write_text("rows")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("call", ["open", "mkdir"])
def test_without_room_it_is_an_error_with_a_hint_and_nothing_stays(
    call: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(os, call)

    def refuse_what_is_in_the_folder(path: Any, *arguments: Any, **more: Any) -> Any:
        if Path(path).name in (f".{LOCK}", "files"):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return real(path, *arguments, **more)

    monkeypatch.setattr(os, call, refuse_what_is_in_the_folder)
    with pytest.raises(TargetError, match=r"cannot make a temporary folder: .*No space left") as raised:
        temporary_folder().__enter__()
    assert "TMPDIR" in (raised.value.hint or "")
    assert list(place.iterdir()) == []


def test_it_is_gone_after_an_error_too(place: Path) -> None:
    def fail() -> None:
        with temporary_folder() as folder:
            (folder / "panel.parquet").write_text("rows")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(place.iterdir()) == []


def test_one_of_a_process_that_was_killed_is_removed_by_the_next(place: Path) -> None:
    in_another_process(leave_a_folder)
    assert len(list(place.iterdir())) == 1
    with temporary_folder() as folder:
        assert [path.resolve() for path in place.iterdir()] == [folder.parent.resolve()]


def test_one_that_is_in_use_stays(place: Path) -> None:
    with temporary_folder() as folder:
        in_another_process(lambda: remove_abandoned(place))
        assert folder.is_dir()


def test_a_process_looks_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_folder():
        pass
    monkeypatch.setattr(module, "remove_abandoned", lambda _place: pytest.fail("looked again"))
    with temporary_folder():
        pass


def test_what_mlspec_did_not_make_so_stays(place: Path) -> None:
    """A folder without the lock, one that others may write to, and a link to a folder of somebody."""
    (place / "mlspec-notes").mkdir()
    (place / "mlspec-shared").mkdir(0o755)
    (place / "mlspec-shared" / LOCK).touch()
    (place / "mine").mkdir(0o700)
    (place / "mine" / LOCK).touch()
    (place / "mlspec-link").symlink_to(place / "mine")
    remove_abandoned(place)
    assert sorted(path.name for path in place.iterdir()) == ["mine", "mlspec-link", "mlspec-notes", "mlspec-shared"]


def test_where_files_cannot_be_locked_it_is_made_all_the_same(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: int, _how: int) -> None:
        raise OSError("no locks on this file system")

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    with temporary_folder() as folder:
        assert folder.is_dir()
    assert list(place.iterdir()) == []
