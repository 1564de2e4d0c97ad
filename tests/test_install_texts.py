"""No text of ours tells anybody to install mlspec by its name alone: on an index that name may be a stranger's package."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlspec.cli import main as front
from mlspec.errors import MissingExtra
from mlspec.installation import LocalPath, Origin, Published
from mlspec.render.project import project_files

ROOT = Path(__file__).resolve().parent.parent
# A command that installs, up to the end of the command.
COMMAND = re.compile(
    r"\b(?:(?:pip3?|pipx|uv|poetry|conda|mamba|pdm)\s+(?:pip\s+|tool\s+)?(?:install|add|run|inject|upgrade)|uvx)\b([^\n`;|&#]*)"
)
# Our name, or the one that we had, with neither an address nor a version behind it, and not as a part of a path or file.
BARE = re.compile(r"(?<![\w./@:-])mlspec(?:-forecast)?(?:\[[^\]\n]*\])?(?!\s*(?:@|==)|[\w/.\[-])")
# A requirement of the stranger's package, whoever reads it. Terraform's own resources are called so too: `google_x.mlspec["a"]`.
STRANGERS = re.compile(r"(?<![\w./-])mlspec\[[a-z]|[\"']mlspec\s*[=<>~!]=")


def told(text: str) -> list[str]:
    """Return the commands in a text that install mlspec by its name alone."""
    commands = [found[0] for found in COMMAND.finditer(text) if BARE.search(found[1])]
    return commands + [found[0] for found in STRANGERS.finditer(text)]


def tracked() -> Iterator[tuple[str, str]]:
    """Yield path and content of every text file that git tracks."""
    argv = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z"]
    for name in subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\0"):
        path = ROOT / name
        if name and path.is_file() and path != Path(__file__):
            try:
                yield name, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


@pytest.mark.parametrize(
    "text",
    [
        "pip install mlspec",
        "pip install 'mlspec[forecast]'",
        'pip3 install --upgrade "mlspec"',
        "uv pip install mlspec-forecast",
        "uv add 'mlspec-forecast[forecast,gcp]'",
        "uvx mlspec validate",
        "pipx run mlspec",
        "- run: pip install mlspec && mlspec validate",
        '"mlspec>=1.0"',
        "it needs mlspec[ray]",
    ],
)
def test_a_text_that_tells_it_is_found(text: str) -> None:
    assert told(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install 'mlspec-forecast[forecast] @ git+https://example.com/mlspec.git@v1.2.3'",
        "pip install 'mlspec-forecast[forecast]==1.2.3'",
        "pip install -r requirements-mlspec.txt && mlspec validate",
        "pip install './mlspec_forecast-1.2.3-py3-none-any.whl[forecast]'",
        "pip install '/home/me/mlspec[forecast]'",
        '`pip install ".[test]"`, then `mlspec plan`',
        'bucket = google_storage_bucket.mlspec["state"].name',
    ],
)
def test_a_text_that_says_where_from_is_not(text: str) -> None:
    assert told(text) == []


def test_no_file_of_ours_tells_it() -> None:
    files = dict(tracked())
    assert {"README.md", "templates/project/github.yml.j2", "mlspec/errors.py", "Dockerfile"} <= set(files)
    assert {name: told(text) for name, text in files.items() if told(text)} == {}


@pytest.mark.parametrize("origin", [None, LocalPath("/home/me/mlspec", is_editable=True), Published("==1.2.3")])
def test_no_hint_tells_it(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlspec.installation.read_origin", lambda: origin)
    error = MissingExtra("urllib3", "notify")
    assert error.hint
    assert told(error.hint) == []


@pytest.mark.parametrize("package", [None, "mlspec-forecast[forecast,gcp]==1.2.3"])
def test_no_file_of_a_new_project_tells_it(package: str | None) -> None:
    files = project_files({"name": "acme", "spec": "demand", "package": package, "why": "It is on one machine."})
    assert {name: told(text) for name, text in files.items() if told(text)} == {}
    builds = [text for name, text in files.items() if name.endswith((".yml", ".yaml")) and "mlspec plan" in text]
    assert len(builds) == 3
    assert all("pip install" in text for text in builds)


def test_no_file_that_is_rendered_for_google_cloud_tells_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "specs").mkdir()
    for name, place in (("full.yaml", "specs/demand.yaml"), ("full-project.yaml", "mlspec.yaml")):
        (tmp_path / place).write_bytes((ROOT / "tests" / "spec" / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert front.run(["render", "--target", "prod", "--out", "build"]) == 0
    texts = {path.name: path.read_text() for path in (tmp_path / "build").rglob("*") if path.is_file()}
    assert texts
    assert {name: told(text) for name, text in texts.items() if told(text)} == {}
