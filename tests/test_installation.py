"""Where this mlspec was installed from, by what installers note, and the command that adds an extra to it."""

from __future__ import annotations

import json
import re
import shlex
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

import mlspec
from mlspec import installation
from mlspec.installation import DISTRIBUTION, LocalPath, Published, install_command, origin_of, read_origin

ROOT = Path(__file__).resolve().parent.parent
WHEEL = "https://example.com/mlspec_forecast-1.2.3-py3-none-any.whl"
DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("note", "origin"),
    [
        (
            {"url": WHEEL, "archive_info": {"hashes": {"sha256": DIGEST}, "hash": "sha256=cd"}},
            Published(f" @ {WHEEL}#sha256={DIGEST}"),
        ),
        ({"url": WHEEL, "archive_info": {"hash": f"sha256={DIGEST}"}}, Published(f" @ {WHEEL}#sha256={DIGEST}")),
        ({"url": WHEEL, "archive_info": {"hash": "md5=12"}}, Published(f" @ {WHEEL}")),
        (
            {"url": "https://example.com/all.zip", "archive_info": {"hashes": {"sha256": DIGEST}}, "subdirectory": "py"},
            Published(f" @ https://example.com/all.zip#subdirectory=py&sha256={DIGEST}"),
        ),
        (
            {"url": "https://example.com/mlspec.git", "vcs_info": {"vcs": "git", "requested_revision": "v1", "commit_id": "0a1b"}},
            Published(" @ git+https://example.com/mlspec.git@0a1b"),
        ),
        (
            {"url": "ssh://git@example.com/mlspec", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}, "subdirectory": "py"},
            Published(" @ git+ssh://git@example.com/mlspec@0a1b#subdirectory=py"),
        ),
        ({"url": "file:///home/me/my%20clone", "dir_info": {"editable": True}}, LocalPath("/home/me/my clone", is_editable=True)),
        ({"url": "file:///home/me/clone", "dir_info": {}}, LocalPath("/home/me/clone")),
        ({"url": "file:///tmp/m.whl", "archive_info": {"hashes": {"sha256": DIGEST}}}, LocalPath("/tmp/m.whl")),
        ({"url": "file:///srv/mlspec.git", "vcs_info": {"vcs": "git", "commit_id": "0a1b"}}, LocalPath("/srv/mlspec.git")),
        ({"url": WHEEL, "archive_info": {}}, Published(f" @ {WHEEL}")),  # uv notes no digest
        ({"url": "http://example.com/m.whl", "archive_info": {}}, None),
        ({"url": WHEEL}, None),
        ({"url": "https://example.com/a\nb", "archive_info": {}}, None),
        ({"url": "https://example.com/a b", "archive_info": {}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_what_an_installer_noted_is_read(note: dict[str, Any], origin: installation.Origin) -> None:
    assert origin_of(note) == origin
    if isinstance(origin, Published):
        asked = Requirement(origin.requirement(["forecast", "gcp"]))
        assert (asked.name, asked.extras) == (DISTRIBUTION, {"forecast", "gcp"})


class Installed:
    """Stands in for an installed distribution."""

    def __init__(self, version: str, notes: dict[str, str]) -> None:
        self.version, self._notes = version, notes

    def read_text(self, name: str) -> str | None:
        return self._notes.get(name)


@pytest.mark.parametrize(
    ("version", "notes", "origin"),
    [
        ("1.2.3", {}, Published("==1.2.3")),
        ("1.2.3", {"direct_url.json": '{"url": "file:///a", "dir_info": {}}'}, LocalPath("/a")),
        (
            "1.2.3",
            {"provenance_url.json": json.dumps({"url": WHEEL, "archive_info": {"hashes": {"sha256": DIGEST}}})},
            Published(f" @ {WHEEL}#sha256={DIGEST}"),
        ),
        ("1.2.4.dev3+g0a1b", {}, None),
        ("0.0", {}, None),
        ("1.2.3", {"direct_url.json": "no JSON"}, None),
        ("1.2.3", {"direct_url.json": "[]"}, None),
        ("1.2.3", {"direct_url.json": '{"url": "file:///a", "dir_info": null}'}, None),
    ],
)
def test_an_installation_is_by_name_only_where_nothing_else_is_noted(
    version: str, notes: dict[str, str], origin: installation.Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda _name: Installed(version, notes))
    assert read_origin() == origin


def test_what_was_not_installed_has_no_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "DISTRIBUTION", "no-such-distribution")
    assert read_origin() is None


@pytest.mark.parametrize(
    ("origin", "command"),
    [
        (LocalPath("/home/me/my clone", is_editable=True), "pip install -e '/home/me/my clone[serve]'"),
        (LocalPath("/tmp/m.whl"), "pip install '/tmp/m.whl[serve]'"),
        (Published("==1.2.3"), "pip install 'mlspec-forecast[serve]==1.2.3'"),
        (
            Published(" @ https://example.com/it's"),
            "pip install 'mlspec-forecast[serve] @ https://example.com/it'\"'\"'s'",
        ),
        (None, "install mlspec with its extra 'serve': see 'Install' in mlspec's README"),
    ],
)
def test_an_extra_comes_from_where_the_rest_came_from(
    origin: installation.Origin, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "read_origin", lambda: origin)
    assert install_command("serve") == command
    if origin:
        assert len(shlex.split(command)) == (4 if "-e" in command else 3)


def test_the_tests_run_on_an_installation_whose_origin_is_known() -> None:
    assert read_origin() is not None
    assert mlspec.__version__


def test_a_build_that_finds_no_tag_is_told_apart_everywhere_by_the_same_version() -> None:
    stated = re.findall(r'fallback-version = "(.+)"', (ROOT / "pyproject.toml").read_text())
    stated += re.findall(r'__version__ = "(.+)"', (ROOT / "mlspec" / "__init__.py").read_text())
    stated += re.findall(r"ARG VERSION=(.+)", (ROOT / "Dockerfile").read_text())
    assert stated == [installation.UNKNOWN_VERSION] * 3
