"""The record that the contract's tests write to, in each kind of store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.targets.local.target import LocalTarget
from tests.stores import Home, target_at
from tests.targets.nouns import T

LOCKED = ("apply", T, 0.0)  # what a lock is taken with


@pytest.fixture
def root(home: Home, tmp_path: Path) -> Path:
    return home.settle_in(tmp_path / "p")


@pytest.fixture
def target(root: Path) -> LocalTarget:
    return target_at(root)


@pytest.fixture
def another(root: Path) -> Callable[[], LocalTarget]:
    """Opens the same record as anyone else would."""
    return lambda: target_at(root)


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    (tmp_path / "panel").write_text("rows of a panel")
    return tmp_path / "panel"
