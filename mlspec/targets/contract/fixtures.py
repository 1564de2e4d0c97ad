"""What every test of the contract is given: a record in the author's store, and the same record as another run opens it.

The author's module has a fixture `place`, a `StorePlace`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from mlspec.state.record import FileRef
from mlspec.targets.contract.nouns import T
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.record.store import Store

LOCKED = ("apply", T, 0.0)  # what a lock is taken with


class StorePlace(Protocol):
    """One empty place for a store, of one test."""

    def open_store(self) -> Store:
        """Return the store. Each call returns a new one, as another process would open it. The place may be used by forks."""
        ...

    def lose_file(self, ref: FileRef) -> None:
        """Remove a stored file behind the store's back, and the copy of it on this machine, if there is one."""
        ...

    def cut_file(self, ref: FileRef) -> None:
        """Shorten a stored file behind the store's back, and the copy of it on this machine, if there is one."""
        ...


@pytest.fixture
def another(place: StorePlace, tmp_path: Path) -> Callable[[], LocalTarget]:
    """Return what opens the record as another run would."""
    return lambda: LocalTarget(tmp_path / "folder", store=place.open_store())


@pytest.fixture
def target(another: Callable[[], LocalTarget]) -> LocalTarget:
    """Return the record."""
    return another()


@pytest.fixture
def panel(tmp_path: Path) -> Path:
    """Return a file that a step has made."""
    (tmp_path / "panel").write_text("rows of a panel")
    return tmp_path / "panel"


def run_statements(place: StorePlace, *statements: str) -> None:
    """Run statements in one transaction, as nobody should; the serial stays."""
    with place.open_store().database.write_transaction("break a rule", keep_serial=True) as connection:
        for statement in statements:
            connection.execute(statement)


def count_rows(place: StorePlace, table: str) -> int:
    """Return how many rows a table of the record has."""
    with place.open_store().database.read_connection() as connection:
        statement = f"SELECT count(*) AS number FROM {table}"
        return 0 if connection is None else int(connection.execute(statement).fetchone()["number"])
