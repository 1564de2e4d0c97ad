"""A command in a fork of the process that tests share is the command that a fresh process would be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.examples import project, spec_text
from tests.preloaded import Preloaded
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("github")  # which starts that process


def said(program: list[str], root: Path, *words: str) -> tuple[int, str, str]:
    environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "70"}
    done = subprocess.run(
        [*program, *words],
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", [("validate",), ("plan", "--no-such-option"), ("status", "unknown")])
def test_it_says_the_same_and_ends_alike(preloaded: Preloaded, tmp_path: Path, words: tuple[str, ...]) -> None:
    root = project(tmp_path / "shop", demand=spec_text().replace("horizon", "horzion"))
    fresh = [sys.executable, "-m", "mlspec"]
    assert said([str(preloaded.command)], root, *words) == said(fresh, root, *words)


def test_it_ends_with_who_started_it(preloaded: Preloaded, tmp_path: Path) -> None:
    root = project(tmp_path / "shop")
    process = subprocess.Popen(
        [preloaded.command, "reconcile"], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    until((root / ".mlspec" / "state.db").exists)
    process.send_signal(signal.SIGTERM)
    assert process.stdout
    assert "stopped by SIGTERM" in process.stdout.read()
    process.stdout.close()
    assert process.wait() == -signal.SIGTERM
