"""The documents tell the truth: every link leads somewhere, every command, package and decision is described."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mlspec.cli import main as front
from mlspec.cli.main import COMMANDS
from mlspec.spec.reference import reference_page
from tests.docs.picture import read_text

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The blocks `sh` are not run: they need Google Cloud, a database, or wait. Their commands are at least ones that mlspec takes.
SHOWN = sorted(
    {
        line.strip()
        for document in DOCUMENTS
        for block in re.findall(r"^```sh\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("mlspec ")
    }
)


@pytest.mark.parametrize("line", SHOWN)
def test_a_command_that_is_shown_is_one_that_mlspec_takes(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    _, command, *words = shlex.split(line.partition(" | ")[0], comments=True)
    inner = words[:1] if command in ("export", "notify") else []  # groups of commands
    assert front.run([command, *inner, "--help"]) == 0
    text = capsys.readouterr().out
    assert [word for word in words if word.startswith("--") and not re.search(rf"{word}\b", text)] == []


def test_the_spec_of_the_readme_is_the_one_that_ships() -> None:
    (shown,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    shipped = (ROOT / "specs" / "bikes.yaml").read_text().splitlines()
    assert shown.splitlines() == [line for line in shipped if not line.startswith("#")]


def test_the_picture_of_the_readme_shows_the_version_and_the_error_of_its_text() -> None:
    text = (ROOT / "README.md").read_text()
    version, wape = read_text(ROOT / "docs" / "report.png").split()
    assert re.findall(r"^demand +ready +(\S+) +- +(\S+) ", text, re.MULTILINE) == [(version, wape)], (
        "run scripts/screenshot"
    )


def test_the_comparison_is_dated_and_says_where_its_facts_are_from() -> None:
    page = (ROOT / "docs" / "comparison.md").read_text()
    assert re.search(r"^As of 20[0-9]{2}-[0-9]{2}-[0-9]{2}\.", page, re.MULTILINE)
    peers = [part for part in re.split(r"\n\n(?=\*\*)", page) if part.startswith("**")]
    assert len(peers) >= 7
    assert [part[:40] for part in peers if "](https://" not in part] == []


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
