"""What the tests themselves stand on: tools that are there, tests of one group that are kept together, the list of fast tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import tools
from tests.conftest import LONGEST
from tests.gcp.standin.forked import IMPORTED
from tests.mutations import __main__ as mutations
from tests.mutations.__main__ import Job, summarize

HERE = Path(__file__).parent


@pytest.mark.parametrize("tool", tools.HINTS)
def test_a_missing_tool_fails_where_all_are_required(
    tool: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "FOLDER", tmp_path)
    monkeypatch.setattr(tools, "FILES", {})
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("MLSPEC_TOOLS", "required")
    with pytest.raises(pytest.fail.Exception, match=f"this test needs {tool}: "):
        tools.needs(tool)
    monkeypatch.delenv("MLSPEC_TOOLS")
    with pytest.raises(pytest.skip.Exception, match=f"this test needs {tool}: "):
        tools.needs(tool)


def test_what_is_listed_as_fast_is_there_and_listed_once() -> None:
    listed = [line.removeprefix("--ignore=") for line in (HERE / "fast.txt").read_text().split()]
    assert [path for path in listed if not (HERE.parent / path).exists()] == []
    assert len(set(listed)) == len(listed)


def test_what_begins_first_and_what_is_imported_ahead_is_there() -> None:
    """Both lists are left behind in silence where a name of theirs is gone."""
    assert [path for path in LONGEST if not (HERE.parent / path.partition("::")[0]).exists()] == []
    assert [name for name in IMPORTED if find_spec(name) is None] == []


GROUPED = """
import os
import pathlib
import pytest

pytestmark = pytest.mark.xdist_group("one")


@pytest.mark.parametrize("number", range(8))
def test_where(number):
    pathlib.Path(os.environ["PYTEST_XDIST_WORKER"]).touch()
"""


def test_tests_that_share_something_of_this_machine_run_in_one_process(tmp_path: Path) -> None:
    """Ray, Airflow's database and Pub/Sub's emulator are shared; where tests are scattered, it shows seldom and elsewhere."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    words = ("-m", "pytest", "-q", "--numprocesses=2", "--dist=loadgroup", "-p", "no:cacheprovider")
    done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert len(list(tmp_path.glob("gw*"))) == 1


def test_the_end_of_a_run_of_mutations_names_the_rules_that_were_missed_again() -> None:
    """The log of a build is long, and often its last part alone is kept."""
    line = "MISSED   3.2 s  a lock ends with its process: tests/x.py stays green"
    assert summarize(rules=300, missed=[], red=[]) == "300 of 300 rules are guarded"
    assert summarize(rules=300, missed=[line], red=[]).splitlines() == ["299 of 300 rules are guarded", line]
    assert summarize(rules=3, missed=[], red=["not green: x"]).splitlines() == [
        "not green: x",
        "3 of 3 rules are guarded",
    ]


def test_a_rule_whose_tests_did_not_run_is_tried_once_more_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a server may not start in time. That says nothing of the rule."""
    slow, quick = Job(("slow",)), Job(("quick",))
    tried: list[tuple[list[Job], int]] = []

    def ran(jobs: Sequence[Job], count: int) -> list[tuple[Any, str]]:
        tried.append((list(jobs), count))
        first = len(tried) == 1
        return [(SimpleNamespace(job=job, is_decided=not first or job is quick), "") for job in jobs]

    monkeypatch.setattr(mutations, "ran", ran)
    assert [run.job for run, _problem in mutations.decided([slow, quick])] == [quick, slow]
    assert tried == [([slow, quick], mutations.AT_ONCE), ([slow], 1)]
