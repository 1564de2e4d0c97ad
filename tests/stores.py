"""Where a project's record may stand: in its folder, or in a database that a team shares. Stories that matter run on both.

A project whose root holds a file `database` has its record behind the URL in it; `target_at` opens either, as anyone would.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mlspec.state.record import FileRef
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.postgres.store import shared_store
from mlspec.targets.record.schema import MOVING, RECORDS
from tests.examples import project
from tests.postgres import Server

TABLES = ("meta", *RECORDS, *MOVING)


def url_of(root: Path) -> str | None:
    """The URL of a project's database; None where its folder is the store."""
    named = root / "database"
    return named.read_text() if named.exists() else None


def target_at(root: Path) -> LocalTarget:
    """The target of a project."""
    folder, url = root / ".mlspec", url_of(root)
    return LocalTarget(folder, store=shared_store(url, folder) if url else None)


def behind(root: Path, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements behind mlspec's back; return the rows of the last, if it has any."""
    url = url_of(root)
    if url is None:
        with closing(sqlite3.connect(root / ".mlspec/state.db")) as connection, connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]
    with psycopg.connect(url, options="-c search_path=mlspec", autocommit=True) as shared_one:
        ran = [shared_one.execute(statement.encode()) for statement in statements][-1]
        return ran.fetchall() if ran.description else []


def recorded(root: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of the record, by table."""
    return {table: sorted(behind(root, f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def lose(root: Path, ref: FileRef) -> None:
    """Take a stored file away, and this machine's copy of it."""
    _stored(root, ref).unlink()
    if url_of(root):
        behind(root, f"DELETE FROM chunks WHERE sha256 = '{ref.sha256}'")


def cut(root: Path, ref: FileRef) -> None:
    """Cut a stored file short, and this machine's copy of it."""
    _stored(root, ref).write_bytes(b"?")
    if url_of(root):
        behind(
            root, "DROP TRIGGER chunks_rows ON chunks", f"UPDATE chunks SET data = '?' WHERE sha256 = '{ref.sha256}'"
        )


def _stored(root: Path, ref: FileRef) -> Path:
    return root / ".mlspec/artifacts/sha256" / ref.sha256[:2] / ref.sha256


class Home:
    """Makes projects whose record stands in one kind of store."""

    def __init__(self, server: Server | None) -> None:
        self.server = server

    def settle_in(self, root: Path, template: str = "template1") -> Path:
        """Give a folder its store, and return it."""
        root.mkdir(parents=True, exist_ok=True)
        if self.server:
            (root / "database").write_text(self.server.url(self.server.database(template)))
        return root

    def project(self, root: Path) -> Path:
        """A project with one forecast."""
        return self.settle_in(project(root))

    def copy(self, root: Path, to: Path) -> Path:
        """The same project in another folder, record and all."""
        shutil.copytree(root, to)
        return self.settle_in(to, self._database(root) or "template1")

    def leave(self, root: Path) -> None:
        """Remove a project, record and all."""
        if (database := self._database(root)) and self.server:
            self.server.drop(database)
        shutil.rmtree(root)

    def _database(self, root: Path) -> str | None:
        url = url_of(root)
        return psycopg.conninfo.conninfo_to_dict(url)["dbname"] if url else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A server of this test process."""
    server = Server()
    yield server
    server.stop()


@pytest.fixture(params=["folder", "database"])
def home(request: pytest.FixtureRequest) -> Home:
    """Every kind of store, one after the other."""
    return Home(request.getfixturevalue("postgres") if request.param == "database" else None)


@pytest.fixture
def team(postgres: Server) -> Home:
    """A database alone."""
    return Home(postgres)
