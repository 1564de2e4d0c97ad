"""Files of steps: each is stored once, reads back byte by byte, and a damaged one is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlspec.errors import StateError
from mlspec.state.observed import ObservedResource, RecordedCheck, Settlement
from mlspec.state.record import FileRef
from mlspec.state.resource import Resource
from mlspec.targets.contract.fixtures import StorePlace
from mlspec.targets.contract.nouns import T
from mlspec.targets.local.target import LocalTarget


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


@pytest.mark.parametrize(("damage", "said"), [("lose_file", "panel was deleted"), ("cut_file", "panel was changed")])
def test_a_damaged_file_is_told_and_filing_it_again_mends_it(
    target: LocalTarget, place: StorePlace, panel: Path, damage: str, said: str
) -> None:
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    target.record_settlement(
        Settlement("demand", resource=ObservedResource(Resource("data", "demand", {}), {}, filed.outputs)), T
    )
    getattr(place, damage)(filed.outputs["panel"])
    assert target.observe_forecast("demand").resources["data"].damage == said
    assert target.find_step("demand", "check", "k") is None
    with pytest.raises(StateError, match=said.removeprefix("panel ")):
        target.fetch_file("demand", filed.outputs["panel"])
    target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    assert target.find_step("demand", "check", "k") == filed
    assert target.fetch_file("demand", filed.outputs["panel"]).read_text() == "rows of a panel"


def test_a_file_that_is_changed_behind_a_run_is_told_in_the_run(target: LocalTarget, panel: Path) -> None:
    """Its size and its time of change are as they were: its ctime is not, and that nobody sets back."""
    filed = target.file_step("demand", step="check", key="k", outputs={"panel": panel}, facts={}, at=T)
    with target.hash_files_once():
        path = target.fetch_file("demand", filed.outputs["panel"])
        before = path.stat()
        while path.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of a file system ticks every few milliseconds
            path.write_bytes(bytes(reversed(path.read_bytes())))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
        # A copy is fetched again. The file itself cannot be.
        assert _fetch_text(target, filed.outputs["panel"]) in ("rows of a panel", "was changed")


def _fetch_text(target: LocalTarget, ref: FileRef) -> str:
    """Return a file's text, or that the record says that it was changed."""
    try:
        return target.fetch_file("demand", ref).read_text()
    except StateError as error:
        return "was changed" if "was changed" in error.message else error.message
