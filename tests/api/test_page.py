"""The session on the page about Python runs, and shows what it says."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import mlspec.api.project
from tests.api.conftest import apply_here
from tests.examples import project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "python.md"


def test_the_session_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlspec.api.project, "run_apply", apply_here)
    monkeypatch.chdir(project(tmp_path / "shop"))
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 12
    assert result.failed == 0
