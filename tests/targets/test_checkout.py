"""A clone that mlspec was installed from: its commit is a source for others only where they can fetch the same files."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.installation import Published
from mlspec.state.revision import Revision
from mlspec.targets.checkout import current_revision, is_ancestor, published_commit, shared_url

Git = Callable[..., str]
URL = "https://example.com/team/mlspec.git"


@pytest.fixture
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """Run git in the clone, whose remote `origin` has its one commit and is called by an address of the network."""
    for name, value in {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}.items():
        monkeypatch.setenv(name, value)
    clone = tmp_path / "clone"
    clone.mkdir()

    def run(*words: str) -> str:
        argv = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(clone), *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "remote")], check=True)
    run("init", "-q", "-b", "main")
    (clone / "a.py").write_text("")
    run("add", ".")
    run("commit", "-q", "-m", "one")
    run("remote", "add", "origin", str(tmp_path / "remote"))
    run("push", "-q", "origin", "main")
    run("remote", "set-url", "origin", URL)
    return run


def test_a_commit_that_the_remote_has_is_a_source_for_everybody(git: Git, tmp_path: Path) -> None:
    commit = git("rev-parse", "HEAD")
    assert published_commit(tmp_path / "clone") == Published(f" @ git+{URL}@{commit}")
    git("checkout", "-q", "--detach")
    assert published_commit(tmp_path / "clone") == Published(f" @ git+{URL}@{commit}")


@pytest.mark.parametrize(
    "deed",
    [
        ("commit", "-q", "--allow-empty", "-m", "not pushed"),
        ("rm", "-q", "a.py"),
        ("remote", "set-url", "origin", "/srv/mlspec.git"),
        ("remote", "remove", "origin"),
    ],
)
def test_what_others_cannot_fetch_is_no_source(deed: tuple[str, ...], git: Git, tmp_path: Path) -> None:
    git(*deed)
    assert published_commit(tmp_path / "clone") is None


def test_a_folder_below_the_top_and_one_without_git_are_no_source(git: Git, tmp_path: Path) -> None:
    (tmp_path / "clone" / "below").mkdir()
    assert published_commit(tmp_path / "clone" / "below") is None
    assert published_commit(tmp_path) is None
    assert published_commit(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@example.com:team/mlspec.git", "ssh://git@example.com/team/mlspec.git"),
        ("ssh://git@example.com:2222/mlspec", "ssh://git@example.com:2222/mlspec"),
        ("https://me:token@example.com/mlspec", "https://example.com/mlspec"),
        ("http://example.com/mlspec", None),
        ("file:///srv/mlspec", None),
        ("../mlspec", None),
        ("/srv/mlspec", None),
    ],
)
def test_a_remote_is_named_without_passwords(remote: str, url: str | None) -> None:
    assert shared_url(remote) == url


def test_a_commit_is_newer_than_those_in_its_history(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-03-02T10:00:00+02:00")
    clone, first = tmp_path / "clone", git("rev-parse", "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "two")
    second = git("rev-parse", "HEAD")
    assert current_revision(clone) == Revision(second, "2026-03-02T08:00:00Z")
    assert current_revision(tmp_path) is None
    assert (is_ancestor(clone, first), is_ancestor(clone, second), is_ancestor(clone, "0" * 40)) == (True, True, False)
    git("checkout", "-q", "--detach", first)
    assert is_ancestor(clone, second) is False
    # A build often has the newest commit alone.
    subprocess.run(["git", "clone", "-q", "--depth=1", clone.as_uri(), str(tmp_path / "shallow")], check=True)
    assert current_revision(tmp_path / "shallow") is not None
    assert is_ancestor(tmp_path / "shallow", "0" * 40) is None
