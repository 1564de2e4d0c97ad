"""Sessions that a page shows: the blocks marked `console`, as commands with the lines that the page shows of their output.

A line that starts with `$ ` is a command. The lines below it are what it prints, each line after the one before. A line of three
dots stands for any number of lines.

A here-document belongs to its command, up to the line `END`. `cd` holds for the commands that follow, as in a terminal.

A page may begin where another one ends: `<!-- session: continues README.md -->`. Without that it begins with the files that a
clone has, or with `<!-- session: empty folder -->` with none; the clone is then beside the folder, as `mlspec`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.docs.figures import Names, holds, is_alike

ROOT = Path(__file__).resolve().parents[2]
# What a user has of a clone. Nothing that a page shows reads more.
_CLONE = ("data", "specs", "models", "mlspec.yaml", "infra", "docs", "templates")
_BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)
_CONTINUES = re.compile(r"<!-- session: continues (\S+) -->")
_EMPTY = "<!-- session: empty folder -->"
_HERE = "<<'END'"
DOTS = "..."


@dataclass(frozen=True)
class Command:
    """A command of a page, and the lines that the page shows below it."""

    line: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Mismatch:
    """A line that the page shows and that was not printed, and the printed line that it probably means."""

    shown: str
    meant: str | None


def read_commands(text: str) -> list[Command]:
    """Return the commands of a page, in order."""
    commands = []
    for block in _BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.rstrip("\n").split("\n")
            if _HERE in line:
                end = shown.index("END") + 1
                line, shown = "\n".join([line, *shown[:end]]), shown[end:]
            commands.append(Command(line, tuple(text for text in shown if text.strip())))
    return commands


def start_of(text: str) -> str:
    """Return where a page begins: the page that it continues, "" for an empty folder, "clone" otherwise."""
    continued = _CONTINUES.search(text)
    return continued[1] if continued else "" if _EMPTY in text else "clone"


def lay_clone(folder: Path) -> None:
    """Copy what a user has of a clone."""
    folder.mkdir(exist_ok=True)
    for name in _CLONE:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns(".terraform*", "__pycache__", "site")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)


@dataclass
class Terminal:
    """A shell at a folder, whose home is `home`, and which finds `mlspec` in the folder `programs`."""

    folder: Path
    home: Path
    programs: Path

    def run(self, command: str) -> tuple[int, list[str]]:
        """Run a command, and return its exit code and the lines that it printed, those on stderr last."""
        environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "NO_COLOR": "1", "COLUMNS": "120", "HOME": str(self.home), "LC_ALL": "C.UTF-8",
            "GIT_CEILING_DIRECTORIES": str(self.home),
        }  # fmt: skip
        kept = self.home / "folder"
        script = f"trap 'pwd > {shlex.quote(str(kept))}' EXIT\n{command}\n"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        self.folder = Path(kept.read_text(encoding="utf-8").rstrip("\n"))
        return done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def compare(shown: Sequence[str], printed: Sequence[str], names: Names, now: datetime) -> list[Mismatch]:
    """Return each line of the page that was not printed where the page shows it."""
    mismatches, place, may_skip = [], 0, False
    for line in shown:
        if line.strip() == DOTS:
            may_skip = True
            continue
        rest = range(place, len(printed) if may_skip else min(place + 1, len(printed)))
        found = next((index for index in rest if holds(line, printed[index], names, now)), None)
        if found is None:
            alike = next((index for index in range(place, len(printed)) if is_alike(line, printed[index])), None)
            mismatches.append(Mismatch(line, None if alike is None else printed[alike]))
            found = alike
        place, may_skip = (place if found is None else found + 1), False
    return mismatches


PAGES = {
    path.relative_to(ROOT).as_posix(): text
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if read_commands(text := path.read_text(encoding="utf-8"))
}


def first_page(page: str) -> str:
    """Return the page with which the chain begins that this page continues: itself, if it continues none."""
    before = start_of(PAGES[page])
    return first_page(before) if before in PAGES else page
