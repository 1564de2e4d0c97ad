"""What is so of the folder alone: its sources, its files, and what is said when they cannot be trusted."""

from __future__ import annotations

import io
import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError, StateError, StateUnreachable
from mlspec.spec.forecast import Forecast
from mlspec.targets.contract.nouns import T, write
from mlspec.targets.local import database, durable
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.local.text_digest import text_digests
from tests.examples import forecast_spec


@pytest.fixture
def target(tmp_path: Path) -> LocalTarget:
    return LocalTarget(tmp_path / ".mlspec")


def test_a_file_is_kept_once_and_checked_when_read(target: LocalTarget, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("same")
    (tmp_path / "b.txt").write_text("same")
    filed = target.file_step(
        "demand",
        step="check",
        key="k",
        outputs={"a": tmp_path / "a.txt", "b": tmp_path / "b.txt"},
        facts={"n": 1},
        at=T,
    )
    assert filed.outputs["a"].sha256 == filed.outputs["b"].sha256
    path = target.fetch_file("demand", filed.outputs["a"])
    assert path.read_text() == "same"
    assert target.find_step("demand", "check", "k") == filed
    assert target.find_step("demand", "check", "other") is None
    path.write_text("edit")
    with pytest.raises(StateError, match="was changed"):
        target.fetch_file("demand", filed.outputs["a"])
    path.unlink()
    assert target.find_step("demand", "check", "k") is None
    target.file_step(
        "demand",
        step="check",
        key="k",
        outputs={"a": tmp_path / "a.txt", "b": tmp_path / "b.txt"},
        facts={"n": 1},
        at=T,
    )
    assert target.find_step("demand", "check", "k") == filed


@pytest.mark.parametrize(
    ("content", "said"), [(b"not a database at all, but long enough to be one", "damaged"), (b"", "is empty")]
)
def test_a_state_file_that_is_none_is_refused_and_kept(target: LocalTarget, content: bytes, said: str) -> None:
    target.folder.mkdir()
    file = target.folder / "state.db"
    file.write_bytes(content)
    with pytest.raises(StateError, match=said) as caught:
        target.forecast_names()
    assert caught.value.hint
    assert file.read_bytes() == content


def test_a_truncated_state_file_is_refused(target: LocalTarget) -> None:
    write(target)
    file = target.folder / "state.db"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(StateError):
        target.load_events("demand")
    with pytest.raises(StateError):
        write(target)


def test_another_programs_database_is_refused(target: LocalTarget) -> None:
    target.folder.mkdir()
    with sqlite3.connect(target.folder / "state.db") as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StateError, match="not written by mlspec"):
        write(target)


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """A disk on which no file can become larger than so many bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def test_a_lock_that_a_full_disk_cannot_describe_is_let_go(target: LocalTarget) -> None:
    write(target)
    with (
        room_for(0),
        pytest.raises(StateError, match=r"cannot write demand\.lock: File too large") as caught,
        target.lock_forecast("demand", "hold", T, 0.0),
    ):
        pytest.fail("nothing can be recorded")
    assert "free space" in (caught.value.hint or "")
    with target.lock_forecast("demand", "hold", T, 0.0):
        pass


def test_a_full_disk_loses_nothing(target: LocalTarget, tmp_path: Path) -> None:
    write(target)
    big = tmp_path / "big.bin"
    big.write_bytes(b"x" * 200_000)
    with room_for(100_000), pytest.raises(StateError) as caught:
        target.file_step("demand", step="check", key="k", outputs={"big": big}, facts={}, at=T)
    assert "free space" in (caught.value.hint or "")
    assert len(target.load_events("demand")) == 1
    assert not list(target.folder.rglob(".incoming-*"))


def test_the_way_out_fits_what_went_wrong() -> None:
    assert "permission" in durable.recovery_hint(PermissionError(13, "denied"))
    assert "free space" in durable.recovery_hint(sqlite3.OperationalError("database or disk is full"))
    assert "another program" in durable.recovery_hint(sqlite3.OperationalError("database is locked"))


def test_a_state_file_that_is_locked_is_told_from_one_that_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    target = LocalTarget(tmp_path / ".mlspec")
    write(target)
    locker = sqlite3.connect(tmp_path / ".mlspec/state.db", isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    for use in (target.forecast_names, lambda: write(target)):
        with pytest.raises(StateUnreachable, match="is locked"):
            use()
    locker.execute("ROLLBACK")
    locker.close()
    (tmp_path / ".mlspec/state.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StateError) as damaged:
        target.forecast_names()
    assert not isinstance(damaged.value, StateUnreachable)
    assert "backup" in durable.recovery_hint(OSError(5, "input/output error"))


def spec(uri: str | None, future: str | None = None) -> Forecast:
    source = {"uri": uri, "query": None if uri else "SELECT 1"}
    return forecast_spec(dataset={"source": source, "future": {"uri": future} if future else None})


def test_a_source_is_its_bytes_whatever_its_name(target: LocalTarget, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "b.csv").write_text("x")
    first, second = target.inspect_source(spec("a.csv"), tmp_path), target.inspect_source(spec("b.csv"), tmp_path)
    assert first.digest == second.digest
    assert target.inspect_source(spec("*.csv"), tmp_path).files == ("a.csv", "b.csv")
    assert target.inspect_source(spec("a.csv", "b.csv"), tmp_path).size == 2
    (tmp_path / "a.csv").write_text("y")
    assert target.inspect_source(spec("a.csv"), tmp_path).digest != first.digest


def test_tables_of_terms_are_of_the_data(target: LocalTarget, tmp_path: Path) -> None:
    def digest() -> str:
        return target.inspect_source(terms, tmp_path).digest

    inventory = {"service_level": 0.9, "lead_time": {"uri": "t.csv", "sd_column": "sd"}, "pack_size": {"uri": "t.csv"}}
    terms = forecast_spec(dataset={"source": {"uri": "a.csv"}}, inventory=inventory)
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(DataError, match=r"inventory\.lead_time: there is no file t\.csv"):
        digest()
    (tmp_path / "t.csv").write_text("shop,lead_time\n")
    before = digest()
    assert target.inspect_source(terms, tmp_path).files == ("a.csv", "t.csv")
    (tmp_path / "t.csv").write_text("shop,pack_size\n")
    assert digest() != before


def test_files_of_events_are_of_the_data_each_once(target: LocalTarget, tmp_path: Path) -> None:
    def digest() -> str:
        return target.inspect_source(spec, tmp_path).digest

    events = {"a": {"uri": "e.csv"}, "b": {"uri": "e.csv", "event": "x"}, "c": {"uri": "f.csv"}, "d": ["day 5"]}
    spec = forecast_spec(dataset={"source": {"uri": "a.csv"}, "covariates": {"events": events}})
    for name in ("a.csv", "f.csv"):
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"dataset\.covariates\.events\.a: there is no file e\.csv"):
        digest()
    (tmp_path / "e.csv").write_text("event,date\nx,2026-07-06\n")
    before = digest()
    assert target.inspect_source(spec, tmp_path).files == ("a.csv", "e.csv", "f.csv")
    (tmp_path / "e.csv").write_text("event,date\nx,2027-07-05\n")
    assert digest() != before


def test_a_source_with_other_line_ends_is_the_same_data(target: LocalTarget, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'day,name\n2024-01-01,"a\r\nb"\n2024-01-02,c\n')
    (tmp_path / "b.csv").write_bytes(b'day,name\r\n2024-01-01,"a\r\nb"\r\n2024-01-02,c\r\n')
    (tmp_path / "c.csv").write_bytes(b'day,name\n2024-01-01,"a\nb"\n2024-01-02,c\n')  # another name in the first row
    plain, other, changed = (target.inspect_source(spec(name), tmp_path) for name in ("a.csv", "b.csv", "c.csv"))
    assert plain.digest == other.digest != changed.digest
    assert plain.digest == bytes_digest(tmp_path / "a.csv")
    assert other.as_recorded(bytes_digest(tmp_path / "b.csv")).digest == bytes_digest(tmp_path / "b.csv")


@pytest.mark.parametrize(
    "keys", [{"encoding": "utf-16"}, {"compression": "gzip"}, {"format": "parquet"}], ids=lambda keys: next(iter(keys))
)
def test_a_source_that_is_no_plain_text_is_its_bytes(target: LocalTarget, tmp_path: Path, keys: dict[str, str]) -> None:
    (tmp_path / "a.csv").write_bytes(b"a\r\n")
    source = forecast_spec(dataset={"source": {"uri": "a.csv", **keys}, "future": None})
    assert target.inspect_source(source, tmp_path).digest == bytes_digest(tmp_path / "a.csv")


def bytes_digest(file: Path) -> str:
    """What release 0.1.0 recorded of a source of one file."""
    return sha256(f"{sha256(file.read_bytes()).hexdigest()}\n".encode()).hexdigest()


@given(st.lists(st.sampled_from(["a", ",", "\n", '"b"', '"c\r\nd"', '"e""f"']), max_size=30), st.integers(1, 8))
def test_the_digest_of_text_is_the_same_for_each_kind_of_line_end(parts: list[str], block: int) -> None:
    plain, other = "".join(parts), "".join("\r\n" if part == "\n" else part for part in parts)
    with patch("mlspec.targets.local.text_digest._BLOCK", block):
        of_plain, of_other = (text_digests(io.BytesIO(text.encode())) for text in (plain, other))
    assert of_plain[1] == of_other[1] == sha256(plain.encode()).hexdigest()
    assert of_other[0] == sha256(other.encode()).hexdigest()


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("no.csv", "no file"),
        ("no*.csv", "no file matches"),
        ("gs://b/o.csv", "files of this project"),
        (None, "a query"),
    ],
)
def test_a_source_out_of_reach_is_said(target: LocalTarget, tmp_path: Path, uri: str | None, said: str) -> None:
    with pytest.raises(DataError, match=said):
        target.inspect_source(spec(uri), tmp_path)


def test_a_link_out_of_the_project_is_not_followed(target: LocalTarget, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("x")
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(DataError, match="leads out"):
        target.inspect_source(spec("a.csv"), root)
