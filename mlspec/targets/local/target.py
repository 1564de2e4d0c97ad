"""The embedded target: one folder on this machine, keeping every promise of `targets.base.Target`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from mlspec.state.ledger import Ledger
from mlspec.state.notice import Pending
from mlspec.state.observed import FiledStep, Observed, Seen, Settlement, SourceFacts
from mlspec.state.record import FAILED_KIND, FAILURES, Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.resource import Json, Kind
from mlspec.state.served import Served
from mlspec.targets.local import records as rows
from mlspec.targets.local.artifacts import Artifacts
from mlspec.targets.local.database import Database
from mlspec.targets.local.lock import hold
from mlspec.targets.local.schema import MOVING, RECORDS
from mlspec.targets.local.sources import look

_RESOURCES = "SELECT * FROM resources WHERE forecast = ?"
_CONDITIONS = "SELECT * FROM conditions WHERE forecast = ?"
_LEDGER = "SELECT record FROM ledgers WHERE forecast = ?"
_DUE = "SELECT * FROM outbox WHERE delivered_at IS NULL AND next_at IS NOT NULL AND next_at <= ? ORDER BY next_at, id"
_OUTBOX = "SELECT * FROM outbox WHERE forecast = ? AND delivered_at IS NULL ORDER BY id DESC"


class LocalTarget:
    """One folder: `state.db`, `artifacts/`, `locks/`. Made when something is first applied."""

    def __init__(self, folder: Path, *, name: str = "local", protect: bool = False) -> None:
        self.folder = folder
        self.name = name
        self.protect = protect
        self._database = Database(folder / "state.db")
        self._artifacts = Artifacts(folder / "artifacts")

    @property
    def lineage(self) -> str:
        """Identity of the state; empty where nothing was ever applied."""
        return self._database.meta("lineage") or ""

    @property
    def serial(self) -> int:
        """Number of writes to the state so far."""
        return int(self._database.meta("serial") or 0)

    def session(self) -> AbstractContextManager[None]:
        """Make many looks at the state cheap, for the length of a block."""
        return self._database.session()

    def migrate(self) -> Path | None:
        """Bring the state of an older mlspec to this one's schema; return its backup, None where there was nothing to do."""
        return self._database.migrate()

    def names(self) -> tuple[str, ...]:
        """Return the names of all forecasts of which anything is recorded, sorted."""
        ask = "SELECT forecast FROM resources UNION SELECT forecast FROM events ORDER BY forecast"
        return tuple(row["forecast"] for row in self._rows(ask))

    def source(self, spec: Mapping[str, Json], root: Path) -> SourceFacts:
        """Look at a forecast's source and future files. Raises DataError where one is missing or out of reach."""
        return look(spec, root)

    def observe(self, forecast: str) -> Observed:
        """Return what is held of one forecast, with what is missing of its files; never writes."""
        with self._database.reading() as connection:
            if connection is None:
                return Observed(forecast)
            seen = [rows.seen_of(row) for row in connection.execute(_RESOURCES, (forecast,))]
            conditions = tuple(rows.condition_of(row) for row in connection.execute(_CONDITIONS, (forecast,)))
            ledger = next(map(rows.ledger_from, connection.execute(_LEDGER, (forecast,))), Ledger())
        failed = {FAILED_KIND[each.type]: each.message for each in conditions if each.reason in FAILURES}
        looked: dict[FileRef, str | None] = {}
        whole = {each.resource.kind: self._with_damage(each, looked) for each in seen}
        return Observed(forecast, whole, failed, ledger, conditions)

    def lock(self, forecast: str, operation: str, since: str, timeout: float) -> AbstractContextManager[None]:
        """Hold one forecast alone."""
        return hold(self.folder / "locks" / f"{forecast}.lock", forecast, operation, since, timeout)

    def journal(self, forecast: str, resource: str, phase: str, detail: str, at: str) -> None:
        """Write a line of the journal."""
        with self._database.writing(f"journal {phase} {resource}") as connection:
            _journal(connection, forecast, resource, phase, detail, at)

    def step(self, forecast: str, step: str, key: str) -> FiledStep | None:
        """Return the finished step of this key, if it was filed and its files are whole."""
        ask = "SELECT outputs, facts FROM steps WHERE forecast = ? AND step = ? AND key = ?"
        for row in self._rows(ask, forecast, step, key):
            filed = rows.step_of(row)
            return None if any(self._artifacts.damage(ref) for ref in filed.outputs.values()) else filed
        return None

    def file_step(
        self, forecast: str, step: str, key: str, outputs: Mapping[str, Path], facts: Mapping[str, Json], at: str
    ) -> FiledStep:
        """Take a step's files into the store and record the step, once."""
        refs = {role: self._artifacts.put(path, forecast) for role, path in sorted(outputs.items())}
        with self._database.writing(f"file step {step}") as connection:
            connection.execute(
                "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (forecast, step, key, rows.files_to_json(refs), rows.to_json(dict(facts)), at),
            )
        return FiledStep(refs, facts)

    def settle(self, settlement: Settlement, at: str) -> None:
        """Record one effect whole, with the journal's `done` line for its resource."""
        done = settlement.seen.resource.address if settlement.seen else None
        with self._database.writing(f"settle {done or settlement.forecast}") as connection:
            _settle(connection, settlement, at)
            if done:
                _journal(connection, settlement.forecast, done, "done", "", at)

    def path(self, ref: FileRef) -> Path:
        """Return where a stored file can be read, after checking it against its sha256."""
        return self._artifacts.path(ref)

    def versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        return tuple(
            map(
                rows.version_of, self._rows("SELECT record FROM versions WHERE forecast = ? ORDER BY id DESC", forecast)
            )
        )

    def releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        return tuple(
            map(
                rows.release_of, self._rows("SELECT * FROM releases WHERE forecast = ? ORDER BY release DESC", forecast)
            )
        )

    def runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return all forecasts made, newest first."""
        return tuple(
            map(rows.run_of, self._rows("SELECT record FROM runs WHERE forecast = ? ORDER BY id DESC", forecast))
        )

    def events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        return tuple(
            map(rows.event_of, self._rows("SELECT * FROM events WHERE forecast = ? ORDER BY id DESC", forecast))
        )

    def conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the present conditions."""
        return tuple(map(rows.condition_of, self._rows(_CONDITIONS, forecast)))

    def due(self, at: str) -> tuple[Pending, ...]:
        """Return the notices whose next attempt is due, the longest overdue first."""
        return tuple(map(rows.pending_of, self._rows(_DUE, at)))

    def undelivered(self, forecast: str) -> tuple[Pending, ...]:
        """Return the notices of a forecast that a receiver has not taken, newest first."""
        return tuple(map(rows.pending_of, self._rows(_OUTBOX, forecast)))

    def told(self, pending: Pending, delivered_at: str | None) -> None:
        """Record how an attempt at delivery went: `pending` carries the attempts and the next moment."""
        with self._database.writing(f"told {pending.receiver}") as connection:
            connection.execute(
                "UPDATE outbox SET attempts = ?, next_at = ?, problem = ?, delivered_at = ? "
                "WHERE forecast = ? AND notice = ? AND receiver = ?",
                (pending.attempts, pending.next_at, pending.problem, delivered_at,
                 pending.notice.forecast, pending.notice.id, pending.receiver),
            )  # fmt: skip

    def count_served(self, minutes: Sequence[Served]) -> None:
        """Add a server's counts to those of its minute."""
        with self._database.writing("count served") as connection:
            for each in minutes:
                _add_served(connection, each)

    def served(self, forecast: str, since: str) -> tuple[Served, ...]:
        """Return what servers counted from the minute `since` on, oldest first."""
        ask = "SELECT * FROM served WHERE forecast = ? AND minute >= ? ORDER BY minute, version"
        return tuple(map(rows.served_of, self._rows(ask, forecast, since)))

    def forget(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Take down what apply made. With `purge` the records and files go too, without it history stays."""
        # A purged file goes before the commit that forgets it: a purge that is killed can be run again, and leaves no litter.
        doomed = self._only_of(forecast) if purge else ()
        with self._database.writing(f"forget {forecast}") as connection:
            for kind in kinds:
                connection.execute("DELETE FROM resources WHERE forecast = ? AND kind = ?", (forecast, kind))
            # A forecast that is taken down is not watched: what the loop remembered of it would bind the next one of its name.
            for table in MOVING[1:]:
                connection.execute(f"DELETE FROM {table} WHERE forecast = ?", (forecast,))  # noqa: S608  (names of our own)
            if purge:
                _purge(connection, forecast)
                for ref in doomed:
                    self._artifacts.discard(ref)
            else:
                _event(connection, Event(forecast, at, "Normal", "Destroyed", "taken down; history and data are kept"))

    def _only_of(self, forecast: str) -> tuple[FileRef, ...]:
        """Return the stored files that this forecast names and no other."""
        shared = {sha256 for name in self.names() if name != forecast for sha256 in self._files(name)}
        return tuple(ref for sha256, ref in self._files(forecast).items() if sha256 not in shared)

    def _files(self, forecast: str) -> dict[str, FileRef]:
        """Return every stored file that a record of this forecast names, by sha256."""
        found = [
            rows.step_of(row).outputs
            for row in self._rows("SELECT outputs, facts FROM steps WHERE forecast = ?", forecast)
        ]
        found += [version.files for version in self.versions(forecast)] + [run.files for run in self.runs(forecast)]
        return {ref.sha256: ref for files in found for ref in files.values()}

    def _with_damage(self, seen: Seen, looked: dict[FileRef, str | None]) -> Seen:
        """Return a resource with what is wrong with its files; a file that several name is read once (`looked`)."""
        for ref in seen.files.values():
            if ref not in looked:
                looked[ref] = self._artifacts.damage(ref)
            if looked[ref]:
                return replace(seen, damage=f"{ref.name} {looked[ref]}")
        return seen

    def _rows(self, ask: str, *values: str) -> list[sqlite3.Row]:
        return self._database.read(lambda connection: connection.execute(ask, values).fetchall())


def _settle(connection: sqlite3.Connection, settlement: Settlement, at: str) -> None:
    name = settlement.forecast
    if version := settlement.version:
        connection.execute(
            "INSERT INTO versions (forecast, version, created, state, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (name, version.version, version.created, version.state, rows.version_to_json(version)),
        )
    if release := settlement.release:
        words = (
            name,
            release.release,
            release.version,
            release.created,
            release.spec_hash,
            rows.to_json(dict(release.spec)),
        )
        connection.execute("INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?)", words)
    if run := settlement.run:
        connection.execute(
            "INSERT INTO runs (forecast, version, created, record) VALUES (?, ?, ?, ?)",
            (name, run.version, run.created, rows.run_to_json(run)),
        )
    if seen := settlement.seen:
        what = (name, seen.resource.kind, rows.to_json(dict(seen.resource.fields)), rows.to_json(dict(seen.facts)))
        connection.execute(
            "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?)", (*what, rows.files_to_json(seen.files), at)
        )
    for kind in settlement.forget:
        connection.execute("DELETE FROM resources WHERE forecast = ? AND kind = ?", (name, kind))
    if settlement.ledger is not None:
        record = rows.ledger_to_json(settlement.ledger)
        connection.execute("INSERT OR REPLACE INTO ledgers VALUES (?, ?)", (name, record))
    for each in settlement.notices:
        connection.execute(
            "INSERT INTO outbox (forecast, notice, receiver, record, attempts, next_at, problem) "
            "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (name, each.notice.id, each.receiver, rows.notice_to_json(each.notice), each.attempts, each.next_at, each.problem),
        )  # fmt: skip
    for event in settlement.events:
        _event(connection, event)
    _conditions(connection, settlement.conditions)


def _conditions(connection: sqlite3.Connection, conditions: Iterable[Condition]) -> None:
    for new in conditions:
        # `since` says how long a status has held, so it stays while the status does.
        connection.execute(
            "INSERT INTO conditions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (forecast, type) DO UPDATE SET "
            "since = CASE WHEN status = excluded.status THEN since ELSE excluded.since END, "
            "status = excluded.status, reason = excluded.reason, message = excluded.message",
            (new.forecast, new.type, new.status, new.reason, new.message, new.since),
        )


def _event(connection: sqlite3.Connection, event: Event) -> None:
    connection.execute(
        "INSERT INTO events (forecast, at, type, reason, message, version) VALUES (?, ?, ?, ?, ?, ?)",
        (event.forecast, event.at, event.type, event.reason, event.message, event.version),
    )


def _add_served(connection: sqlite3.Connection, new: Served) -> None:
    ask = "SELECT * FROM served WHERE forecast = ? AND minute = ? AND version = ?"
    key = (new.forecast, new.minute, new.version)
    old = next(map(rows.served_of, connection.execute(ask, key)), None)
    took = [sum(pair) for pair in zip(new.took, old.took, strict=True)] if old else list(new.took)
    counts = (new.requests + (old.requests if old else 0), new.errors + (old.errors if old else 0))
    connection.execute(
        "INSERT OR REPLACE INTO served (forecast, minute, version, requests, errors, took) VALUES (?, ?, ?, ?, ?, ?)",
        (*key, *counts, rows.to_json(took)),
    )


def _journal(connection: sqlite3.Connection, forecast: str, resource: str, phase: str, detail: str, at: str) -> None:
    connection.execute(
        "INSERT INTO journal (forecast, resource, phase, detail, at) VALUES (?, ?, ?, ?, ?)",
        (forecast, resource, phase, detail, at),
    )


def _purge(connection: sqlite3.Connection, forecast: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('purging', ?)", (forecast,))
    for table in ("runs", "releases", *(name for name in RECORDS if name not in ("runs", "releases"))):
        connection.execute(f"DELETE FROM {table} WHERE forecast = ?", (forecast,))  # noqa: S608  (names of our own)
    connection.execute("DELETE FROM meta WHERE key = 'purging'")
