"""The documents tell the truth: every command they show runs, every link leads somewhere, every command is described.

A block marked `console` is a session: each line that starts with `$ ` is run, in order, in a copy of the project; the lines
below it must stand in what was printed, in that order. A line of three dots stands for any number of lines.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlspec.cli import main as front
from mlspec.cli.main import COMMANDS
from mlspec.spec.reference import reference_page

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
UNSTABLE = (
    (re.compile(r"\bv[0-9a-f]{10}\b"), "v0000000000"),
    (re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"), "TIME"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? ?(s|ms|min|h|d)\b"), "DURATION"),
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
@pytest.mark.parametrize(
    ("page", "commands"),
    [
        ("README.md", 8),
        ("docs/logging.md", 2),
        ("docs/google-cloud.md", 3),
        ("docs/ci.md", 3),
        ("docs/data.md", 4),
        ("docs/own-model.md", 5),
    ],
)
def test_a_page_is_a_session_that_runs(tmp_path: Path, page: str, commands: int) -> None:
    project = tmp_path / "project"
    shutil.copytree(
        ROOT,
        project,
        ignore=shutil.ignore_patterns(".git", ".mlspec", ".venv*", ".tools", ".coverage*", "tests", "*_cache", "dist"),
    )
    environment = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1", "COLUMNS": "120", "HOME": str(tmp_path),
    }  # fmt: skip
    ran = 0
    for command, expected in sessions(ROOT / page):
        done = subprocess.run(
            ["bash", "-c", command], cwd=project, env=environment, capture_output=True, text=True, check=False
        )
        printed = (done.stdout + done.stderr).splitlines()
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        missing = shows(printed, expected)
        assert missing is None, f"$ {command}\nthe page shows, and nothing printed: {missing}\n" + "\n".join(printed)
        ran += 1
    assert ran >= commands


FIRST_RUN = (ROOT / "docs" / "google-cloud.md").read_text()
SHOWN = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", FIRST_RUN, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if line.startswith("mlspec ")
]


@pytest.mark.parametrize("line", sorted(set(SHOWN)))
def test_a_command_of_the_first_run_is_one_that_mlspec_takes(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, command, *words = shlex.split(line, comments=True)
    assert front.run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert [word for word in words if word.startswith("--") and not re.search(rf"{word}\b", text)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_to_a_file(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if not (document.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_a_line_on_the_page_of_commands(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert front.run([name, "--help"]) == 0
    assert "Usage: mlspec" in capsys.readouterr().out
    assert f"mlspec {name}" in (ROOT / "docs" / "commands.md").read_text()


def test_the_reference_page_is_what_the_models_say() -> None:
    assert (ROOT / "docs" / "reference.md").read_text() == reference_page(), "run scripts/reference"


def test_the_architecture_page_names_every_package_and_every_module_it_names_exists() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    packages = {
        ".".join(init.parent.relative_to(ROOT / "mlspec").parts) for init in (ROOT / "mlspec").rglob("*/__init__.py")
    } - {"cli.commands"}
    top = {name for name in packages if "." not in name}
    assert top
    missing = [f"`{name}/`" for name in sorted(top) if f"`{name}/`" not in page]
    missing += [
        f"`{name}`" for name in sorted(packages - top) if f"`{name}`" not in page and name != "forecast.candidates"
    ]
    assert not missing, "packages that the page does not name"
    named = {name for name in re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)`", page) if name.split(".")[0] in top} - {
        "state.db"
    }
    assert len(named) > 40
    unknown = [name for name in sorted(named) if not _is_module(ROOT / "mlspec", name)]
    assert not unknown, "the page names modules that do not exist"


def test_the_architecture_page_lists_every_decision_in_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    listed = re.findall(r"^(\d+)\. \[.*\]\(decisions/(.*?)\)", page, re.MULTILINE)
    files = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    assert [name for _, name in listed] == files
    assert [int(number) for number, _ in listed] == [int(name[:4]) for name in files]


def _is_module(package: Path, name: str) -> bool:
    path = package.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()
