"""The documents tell the truth: every command they show runs, every link leads somewhere, every command is described.

A block marked `console` is a session: each line that starts with `$ ` is run, in order, in a copy of the project; the lines
below it must stand in what was printed, in that order. A line of three dots stands for any number of lines.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlspec.cli.main import COMMANDS
from mlspec.spec.reference import reference

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
UNSTABLE = (
    (re.compile(r"\bv[0-9a-f]{10}\b"), "v0000000000"),
    (re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"), "TIME"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? ?(s|ms|min)\b"), "DURATION"),
    (re.compile(r"\br[0-9]+ +v0000000000 +TIME +[0-9a-f]{10}"), "RELEASE"),
    # Figures differ in their last digits from one release of a library to the next; tests of the science judge them.
    (re.compile(r"-?[0-9][0-9,]*\.?[0-9]*%?"), "0"),
    (re.compile(r"[ \t]+"), " "),
)


def sessions(document: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (command, expected lines) for every `$ ` line in the document's console blocks."""
    for block in re.findall(r"^```console\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            yield command, [line for line in expected if line.strip()]


def stable(line: str) -> str:
    for pattern, word in UNSTABLE:
        line = pattern.sub(word, line)
    return line.strip()


def shows(printed: list[str], expected: list[str]) -> str | None:
    """Return the first expected line that is not printed after the one before it, or None."""
    rest = iter(stable(line) for line in printed)
    for line in expected:
        if line.strip() == "...":
            continue
        if stable(line) not in rest:  # `in` moves the iterator on: order is kept
            return line
    return None


@pytest.mark.no_cover  # its commands are processes; other tests go each part of them
def test_the_readme_is_a_session_that_runs(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(
        ROOT, project, ignore=shutil.ignore_patterns(".git", ".mlspec", ".venv*", ".tools", "tests", "*_cache", "dist")
    )
    environment = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1", "COLUMNS": "120", "HOME": str(tmp_path),
    }  # fmt: skip
    ran = 0
    for command, expected in sessions(ROOT / "README.md"):
        done = subprocess.run(
            ["bash", "-c", command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        printed = (done.stdout + done.stderr).splitlines()
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        missing = shows(printed, expected)
        assert missing is None, f"$ {command}\nthe README shows, and nothing printed: {missing}\n" + "\n".join(printed)
        ran += 1
    assert ran >= 8


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


@pytest.mark.no_cover
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_stands_in_the_readme(name: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "mlspec", name, "--help"], capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    assert "Usage: mlspec" in asked.stdout
    assert f"mlspec {name}" in (ROOT / "README.md").read_text()


def test_the_reference_page_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == reference(), "run scripts/reference"


def test_the_architecture_page_names_every_room_that_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = [path.name for path in (ROOT / "mlspec").iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    assert rooms
    for room in rooms:
        assert f"`{room}/`" in page
