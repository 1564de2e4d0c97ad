"""A PostgreSQL server of the tests' own: in a temporary folder, on a socket there, gone with the test run. One database a test."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from tests.tools import needs

# What a power cut would lose, these tests do not keep.
_QUICK = "-c fsync=off -c full_page_writes=off -c max_connections=60 -c listen_addresses= -c shared_buffers=16MB"


class Server:
    """One server of one test process. `url` of a database leads to it; the first database is `postgres`."""

    def __init__(self) -> None:
        self.programs = Path(needs("postgres")).parent
        self.folder = Path(tempfile.mkdtemp(prefix="mlspec-pg-"))  # a socket's path has to be short
        self.user = "nobody" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        if self.user:
            shutil.chown(self.folder, self.user)
        self._numbers = itertools.count(1)
        try:
            self._run(
                "initdb", "--username=tests", "--auth=trust", "--encoding=UTF8", "--no-sync", "--pgdata", self._data
            )
            self.start()
        except subprocess.CalledProcessError as error:
            raise AssertionError(error.stdout.decode()) from error

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        options = f"{_QUICK} -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "start", "-w", "-s", "-D", self._data, "-l", f"{self.folder}/log", "-o", options)

    def stop_at_once(self) -> None:
        """Stop the server as a crash does: without a word to its clients, and with a recovery at the next start."""
        self._run("pg_ctl", "stop", "-s", "-w", "-m", "immediate", "-D", self._data)

    def url(self, database: str, user: str = "tests") -> str:
        """The URL of a database."""
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def database(self, template: str = "template1") -> str:
        """Make a database, a copy of another where one is named, and return its name."""
        name = f"test_{next(self._numbers)}"
        words = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        self.execute("postgres", words)
        return name

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected."""
        self.execute("postgres", sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))

    def execute(self, database: str, statement: Any) -> list[tuple[Any, ...]]:
        """Run one statement as the server's owner, behind mlspec's back; return its rows, if it has any."""
        with psycopg.connect(self.url(database), autocommit=True, options="-c search_path=mlspec,public") as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.stop_at_once()
        shutil.rmtree(self.folder)

    @property
    def _data(self) -> str:
        return f"{self.folder}/data"

    def _run(self, program: str, *words: str) -> None:
        argv = [str(self.programs / program), *words]
        group: dict[str, Any] = {"user": self.user, "extra_groups": []} if self.user else {}
        with Path(f"{self.folder}.out").open(
            "w+b"
        ) as out:  # a file: the server keeps a pipe open that nobody would read
            done = subprocess.run(argv, stdout=out, stderr=subprocess.STDOUT, check=False, cwd="/", **group)
            out.seek(0)
            said = out.read()
        Path(f"{self.folder}.out").unlink()
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, argv, output=said)
