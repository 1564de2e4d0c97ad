"""The table of promises names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", (TESTS / "README.md").read_text())))


def test_every_promise_names_a_test() -> None:
    rows = [line for line in (TESTS / "README.md").read_text().splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    assert [row for row in rows if "::" not in row and "---" not in row] == []


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_a_test_that_a_promise_names_is_there(file: str, name: str) -> None:
    path = (ROOT if file.startswith("mlspec/") else TESTS) / file  # the contract of a store ships
    assert re.search(rf"^(def|class) {name}\b", path.read_text(), re.MULTILINE)
