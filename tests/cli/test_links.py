"""A link in a project leads no write out of it, wherever a command writes; and what a command makes is for its user alone."""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from mlspec.cli.target import timestamp
from mlspec.errors import StateError
from mlspec.targets.local.secrets import secret_value
from mlspec.targets.local.target import LocalTarget
from tests.engine.steps import engine, spec
from tests.examples import project

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
HEX = re.compile(r"[0-9a-f]{64}|(?<=/)[0-9a-f]{2}(?=/|$)")
COMMANDS = {
    "init": ("init", "."),
    "apply": ("apply",),
    "plan": ("plan", "--out", "out/saved.plan"),
    "report": ("report", "demand", "--out", "out/report.html"),
    "render": ("render", "specs", "--out", "out/rendered"),
    "step": ("step", "check", "--spec", "specs/demand.yaml", "--out", "out/run/check"),
}
_heard: list[Path] = []
_listening: list[bool] = []


def _listen(event: str, words: tuple[Any, ...]) -> None:
    """Note what is opened for writing, made, renamed to or removed. An audit hook stays for the life of the process."""
    if not _listening:
        return
    if event == "open" and isinstance(words[0], str) and isinstance(words[2], int):
        if words[2] & WRITING:
            _heard.append(Path(words[0]))
    elif event in ("os.mkdir", "os.remove"):
        _heard.append(_place(words[0], words[-1]))
    elif event == "os.rename":
        _heard.append(_place(words[1], words[-1]))
    elif event == "sqlite3.connect" and str(words[0]).startswith("file:"):
        path = Path(str(words[0]).removeprefix("file://").partition("?")[0])
        _heard.extend([path, path.with_name(f"{path.name}-journal")])


def _place(name: Any, folder: int) -> Path:
    """Where a name is that may be relative to an open folder, as where `shutil.rmtree` removes; -1 stands for no folder."""
    link = Path(f"/proc/self/fd/{folder}")
    return (link.readlink() if link.is_symlink() else Path()) / os.fsdecode(name)


@pytest.fixture(scope="module", autouse=True)
def hook() -> None:
    sys.addaudithook(_listen)


@contextmanager
def listening() -> Iterator[None]:
    _heard.clear()
    _listening.append(True)
    try:
        yield
    finally:
        _listening.clear()


def written_below(root: Path, work: Callable[[], object]) -> list[str]:
    """The files and folders below `root` that some work writes, with the folders above each; one for all names by content."""
    with listening():
        work()
    found = {}
    for path in (path.absolute() for path in _heard):
        if path.is_relative_to(root):
            for part in (path, *path.parents):
                if part != root and part.is_relative_to(root):
                    name = part.relative_to(root).as_posix()
                    found.setdefault(HEX.sub("#", name), name)
    return sorted(found.values())


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder below, with its mode and bytes."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that was applied under the usual umask. Nothing changes it."""
    root = project(tmp_path_factory.mktemp("applied") / "ready")
    (root / "out").mkdir()
    before = os.umask(0o022)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(root)
            assert front.run(["apply"]) == 0
    finally:
        os.umask(before)
    return root


@pytest.fixture
def home(applied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That project, beside what a user has elsewhere."""
    monkeypatch.chdir(shutil.copytree(applied, tmp_path / "ready"))  # and back, at the end
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "folder").mkdir(parents=True)
    for name in ("file", "folder/kept"):
        (elsewhere / name).write_text("mine")
    return tmp_path


def begin(home: Path, command: str) -> Path:
    """A fresh project for a command."""
    root = home / "fresh"
    shutil.rmtree(root, ignore_errors=True)
    if command == "init":
        root.mkdir()
    else:
        shutil.copytree(home / "ready", root)
    if command == "apply":
        shutil.rmtree(root / ".mlspec")
    os.chdir(root)
    return root


@pytest.mark.no_cover  # the same way again, for every file
@pytest.mark.parametrize("command", COMMANDS)
def test_a_link_in_place_of_anything_that_a_command_writes_changes_nothing_elsewhere(
    home: Path, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)  # and back, at the end
    words = list(COMMANDS[command])
    root = begin(home, command)
    written = written_below(root, lambda: front.run(words))
    folders = {name for name in written if (root / name).is_dir()}
    assert len(written) > 1
    before = picture(home / "elsewhere")
    for name in written:
        for leads_to in ("folder" if name in folders else "file", "nowhere"):
            root = begin(home, command)
            place = root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_dir():
                shutil.rmtree(place)
            place.unlink(missing_ok=True)
            place.symlink_to(home / "elsewhere" / leads_to)
            capsys.readouterr()
            code = front.run(words)
            said = "".join(capsys.readouterr())
            assert picture(home / "elsewhere") == before, f"{name} -> {leads_to}"
            assert "a defect of mlspec" not in said, f"{name} -> {leads_to}: {said}"
            # A draft is replaced and the command goes on; anything else is refused in words.
            assert code == 0 or "hint" in said, f"{name} -> {leads_to}: {said}"


def test_a_state_folder_that_is_a_link_is_refused_by_every_command(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home / "ready")
    Path(".mlspec").rename(home / "moved")
    Path(".mlspec").symlink_to(home / "moved")
    for words in (["status"], ["plan"], ["apply"], ["reconcile", "--once"], ["history", "demand"]):
        assert front.run(words) == 1
        said = capsys.readouterr().err
        assert ".mlspec is a symbolic link" in said
        assert "mount that disk there" in said


@pytest.mark.parametrize("name", ["state.db", "locks/demand.lock"])
def test_a_file_that_is_changed_in_place_has_one_name(tmp_path: Path, name: str) -> None:
    target = LocalTarget(project(tmp_path / "shop") / ".mlspec")
    at = timestamp()
    with target.lock_forecast("demand", "apply", at, 0.0):
        target.write_journal("demand", resource="data.demand", phase="started", detail="", at=at)
    mine = tmp_path / "mine"
    os.link(target.folder / name, mine)
    before = mine.read_bytes()
    with pytest.raises(StateError, match="has 2 names"), target.lock_forecast("demand", "apply", at, 0.0):
        target.write_journal("demand", resource="data.demand", phase="done", detail="", at=at)
    assert mine.read_bytes() == before


def test_a_secret_is_read_through_no_link_that_leads_out_of_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / ".mlspec"
    (folder / "secrets" / "..data").mkdir(parents=True, mode=0o700)
    key = tmp_path / "key"
    for path in (key, folder / "secrets" / "..data" / "mounted"):
        path.write_text("value-of-it")
        path.chmod(0o600)
    (folder / "secrets" / "url").symlink_to(key)
    (folder / "secrets" / "mounted").symlink_to("..data/mounted")  # as Kubernetes mounts a secret
    with pytest.raises(StateError, match="is a link to"):
        secret_value(folder, "url")
    assert secret_value(folder, "mounted") == "value-of-it"


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
def test_state_and_data_are_for_their_user_alone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home / "ready")
    for command in ("plan", "report", "render", "step"):
        assert front.run(list(COMMANDS[command])) == 0
    root = home / "ready"
    made = [root / ".mlspec", *(root / ".mlspec").rglob("*")]
    made += [
        root / "out" / name for name in ("saved.plan", "report.html", "run", "run/check", "run/check/panel.parquet")
    ]
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in made if path.stat().st_mode & 0o077} == {}
    dag = root / "out/rendered/dags/mlspec_demand.py"
    assert stat.S_IMODE(dag.stat().st_mode) == 0o644  # Airflow reads it as another user


@pytest.mark.usefixtures("usual_umask")
def test_doctor_says_what_others_can_read_and_how_to_mend_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home / "ready")
    assert front.run(["doctor"]) == 0
    Path(".mlspec").chmod(0o755)
    Path(".mlspec/state.db").chmod(0o644)
    capsys.readouterr()
    assert front.run(["doctor"]) == 3
    said = capsys.readouterr().out
    assert "privacy: other users have rights to" in said
    assert "1 files and folders in it" in said
    (mend,) = re.findall(r"> (chmod .*)", said)
    assert os.system(mend) == 0
    assert front.run(["doctor"]) == 0


def test_a_stored_file_that_became_a_link_is_damage_and_made_again(tmp_path: Path) -> None:
    root = project(tmp_path / "shop")
    from mlspec.engine.loop import reconcile_specs

    reconcile_specs(engine(root), [spec()])
    target = LocalTarget(root / ".mlspec")
    ref = target.observe_forecast("demand").resources["data"].files["panel"]
    path = target.fetch_file("demand", ref)
    (tmp_path / "same").write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(tmp_path / "same")
    assert target.observe_forecast("demand").resources["data"].damage
    reconcile_specs(engine(root), [spec()])
    assert target.observe_forecast("demand").resources["data"].damage is None
    assert not path.is_symlink()
