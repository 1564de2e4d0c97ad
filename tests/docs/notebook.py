"""Runs the cells of a notebook in this process, as Jupyter's kernel would: the last expression of a cell is its result."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

Cell = dict[str, Any]


def read_notebook(path: Path) -> dict[str, Any]:
    """Return a notebook of format 4."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return notebook


def write_notebook(path: Path, notebook: dict[str, Any]) -> None:
    """Write it as Jupyter does."""
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def code_cells(notebook: dict[str, Any]) -> list[Cell]:
    """Return the cells that run."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run_cell(cell: Cell, scope: dict[str, Any]) -> list[Cell]:
    """Run a cell in a scope that its notebook shares, and return its outputs."""
    tree = ast.parse("".join(cell["source"]))
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), scope)
        value = None if last is None else eval(compile(ast.Expression(last.value), "<cell>", "eval"), scope)
    outputs: list[Cell] = []
    if printed.getvalue():
        outputs.append({"name": "stdout", "output_type": "stream", "text": _lines(printed.getvalue())})
    if value is not None:
        shown = {"text/plain": _lines(repr(value))}
        outputs.append({"data": shown, "execution_count": None, "metadata": {}, "output_type": "execute_result"})
    return outputs


def shown_lines(outputs: list[Cell]) -> list[str]:
    """Return the lines that a reader sees below a cell."""
    texts = ["".join(output.get("text") or output["data"]["text/plain"]) for output in outputs]
    return [line for text in texts for line in text.splitlines()]


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
