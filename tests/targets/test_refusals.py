"""What the embedded target says, and leaves alone, when its folder cannot be used as it should be."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlspec.errors import StateError
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.record import Event, FileRef
from mlspec.state.resource import Resource
from mlspec.targets.local import durable
from mlspec.targets.local.target import LocalTarget
from tests.forked import in_child

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
T = "2024-03-01T00:00:00Z"
NOBODY = 65534


def write(target: LocalTarget) -> None:
    target.record_settlement(Settlement("demand", events=(Event("demand", T, "Normal", "R", "m"),)), T)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that another user can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="mlspec-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_folder_without_write_permission_can_be_read_and_refuses_writes_in_words(shared: Path) -> None:
    target = LocalTarget(shared / ".mlspec")
    write(target)
    said = shared / "said"
    said.touch()
    said.chmod(0o666)
    for folder in (target.folder, target.folder / "locks"):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o555)
    (target.folder / "state.db").chmod(0o444)

    def as_somebody_else() -> None:
        if os.getuid() == 0:  # root may write anywhere, so that nothing would be shown
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        words = [str(len(target.load_events("demand")))]
        for attempt in (lambda: write(target), lambda: target.lock_forecast("demand", "apply", T, 0.0).__enter__()):
            try:
                attempt()
            except StateError as error:
                words.append(error.hint or "")
        said.write_text("\n".join(words))

    assert in_child(as_somebody_else) == 0
    events, *hints = said.read_text().splitlines()
    assert events == "1"
    assert len(hints) == 2
    assert all("write permission" in hint for hint in hints)
    target.folder.chmod(0o755)


def test_a_folder_that_may_not_be_looked_into_is_said_by_migrate_too(shared: Path) -> None:
    target = LocalTarget(shared / ".mlspec")
    write(target)
    target.folder.chmod(0o700)
    said = shared / "said"
    said.touch()
    said.chmod(0o666)

    def as_somebody_else() -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        else:
            target.folder.chmod(0)
        try:
            target.migrate_schema()
        except StateError as error:
            said.write_text(f"{error.message}\n{error.hint}")

    assert in_child(as_somebody_else) == 0
    message, hint = said.read_text().splitlines()
    assert "Permission denied" in message
    assert "write permission" in hint
    target.folder.chmod(0o755)


def test_a_path_that_leads_through_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    target = LocalTarget(tmp_path / "file" / ".mlspec")
    with pytest.raises(StateError, match="Not a directory") as caught:
        write(target)
    assert "another `path`" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("number", "said", "hint"),
    [(errno.ENOSPC, "No space left", "free space"), (errno.EIO, "Input/output error", "check the disk")],
)
def test_a_disk_that_fails_while_a_file_is_copied_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str, hint: str
) -> None:
    target = LocalTarget(tmp_path / ".mlspec")
    (tmp_path / "panel").write_text("x")

    def fails(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "fsync", fails)
        with pytest.raises(StateError, match=said) as caught:
            target.file_step("demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T)
    assert hint in (caught.value.hint or "")
    assert [path for path in target.folder.rglob("*") if path.is_file()] == []
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T)
    assert target.fetch_file("demand", filed.outputs["panel"]).read_text() == "x"


def test_a_state_folder_that_was_copied_whole_goes_on_as_it_was(tmp_path: Path) -> None:
    target = LocalTarget(tmp_path / ".mlspec")
    write(target)
    shutil.copytree(target.folder, tmp_path / "copy")
    copy = LocalTarget(tmp_path / "copy")
    assert (copy.lineage, copy.serial) == (target.lineage, target.serial)
    write(copy)
    assert copy.serial == target.serial + 1


def test_a_purge_that_is_cut_off_can_be_run_again_and_leaves_no_file(tmp_path: Path) -> None:
    target = LocalTarget(tmp_path / ".mlspec")
    (tmp_path / "own").write_text("own")
    (tmp_path / "both").write_text("both")
    for name, files in (("demand", ("own", "both")), ("other", ("both",))):
        filed = target.file_step(
            name, step="check", key="k", outputs={file: tmp_path / file for file in files}, facts={}, at=T
        )
        target.record_settlement(
            Settlement(name, resource=ObservedResource(Resource("data", name, {}), {}, filed.outputs)), T
        )

    def purge_and_die() -> None:
        def die(*_words: object) -> None:
            os._exit(9)

        durable.commit = die  # type: ignore[assignment]
        target.remove_forecast("demand", ("data",), purge=True, at=T)

    assert in_child(purge_and_die) == 9
    assert "demand" in target.forecast_names()
    target.remove_forecast("demand", ("data",), purge=True, at=T)
    assert target.forecast_names() == ("other",)
    stored = [path.read_text() for path in (target.folder / "artifacts").rglob("*") if path.is_file()]
    assert stored == ["both"]


def test_a_stored_file_that_cannot_be_read_is_damage_and_no_crash(tmp_path: Path) -> None:
    target = LocalTarget(tmp_path / ".mlspec")
    (tmp_path / "panel").write_text("x")
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": tmp_path / "panel"}, facts={}, at=T)
    target.record_settlement(
        Settlement("demand", resource=ObservedResource(Resource("data", "demand", {}), {}, filed.outputs)), T
    )
    path = target.fetch_file("demand", filed.outputs["panel"])
    path.unlink()
    path.mkdir()
    assert target.observe_forecast("demand").resources["data"].damage in (
        "panel was changed",
        "panel cannot be read (Is a directory)",
    )
    with pytest.raises(StateError):
        target.fetch_file("demand", FileRef("0" * 64, 1, "nothing"))
