"""The notebook runs, and shows what it prints. `ACCEPT=1` writes the outputs of this run into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import mlspec.api.project
from mlspec.clock import utc_now
from tests.api.conftest import apply_here
from tests.docs.figures import Names, holds
from tests.docs.notebook import code_cells, read_notebook, run_cell, shown_lines, write_notebook
from tests.docs.sessions import ROOT

NOTEBOOK = ROOT / "docs" / "python.ipynb"


def test_the_notebook_runs_and_shows_what_it_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlspec.api.project, "run_apply", apply_here)
    monkeypatch.chdir(tmp_path)
    notebook, names, scope = read_notebook(NOTEBOOK), Names(exact=bool(os.environ.get("ACCEPT"))), dict[str, object]()
    cells = code_cells(notebook)
    assert len(cells) >= 8
    for number, cell in enumerate(cells, start=1):
        outputs = run_cell(cell, scope)
        shown, printed = shown_lines(cell["outputs"]), shown_lines(outputs)
        same = len(shown) == len(printed) and all(
            holds(ours, theirs, names, utc_now()) for ours, theirs in zip(shown, printed, strict=True)
        )
        if names.exact and not same:
            cell["outputs"] = outputs
            write_notebook(NOTEBOOK, notebook)
            same = True
        assert same, f"cell {number} shows {shown}, and printed {printed}"
