"""Each folder of `acceptance/` prints what stands in its `output.txt`. `ACCEPT=1` rewrites it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_cover  # all in processes of its own; other tests go each part of it
CASES = sorted(path.parent for path in (Path(__file__).resolve().parent.parent / "acceptance").glob("*/script"))
# What differs from run to run, or with a library's last digit.
UNSTABLE = (
    (re.compile(r"\bv[0-9a-f]{10}\b"), "VERSION"),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"), "TIME"),
    (re.compile(r"\([0-9]+\.[0-9] s\)"), "(DURATION)"),
    (re.compile(r"\b[0-9a-f]{12}…"), "DIGEST"),
    (re.compile(r"(?<=VERSION  TIME  )[0-9a-f]{10}"), "DIGEST"),
    (re.compile(r"lineage was none, is [0-9a-f-]{36}"), "lineage was none, is LINEAGE"),
)


def printed(case: Path, folder: Path) -> str:
    """Run a case's script line by line in a copy, and return what a terminal would show."""
    shutil.copytree(case, folder, ignore=shutil.ignore_patterns("output.txt", "script"))
    environment = {
        **os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1", "COLUMNS": "120", "LC_ALL": "C.UTF-8", "GIT_CEILING_DIRECTORIES": str(folder.parent),
    }  # fmt: skip
    shown = []
    for line in (case / "script").read_text().splitlines():
        if line.startswith("#"):
            shown.append(line)
            continue
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, check=False,
        )  # fmt: skip
        shown += [f"$ {line}", *done.stdout.splitlines(), *([f"[exit {done.returncode}]"] if done.returncode else [])]
    text = "\n".join(line.rstrip() for line in shown) + "\n"
    for pattern, word in UNSTABLE:
        text = pattern.sub(word, text)
    return text


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_user_sees_what_is_expected(case: Path, tmp_path: Path) -> None:
    found = printed(case, tmp_path / "project")
    expected = case / "output.txt"
    if os.environ.get("ACCEPT"):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


def test_there_are_cases() -> None:
    assert len(CASES) >= 6
