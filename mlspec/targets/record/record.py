"""The record of a target: each promise of `targets.base.Target` about what is kept, on any database and any place for files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mlspec.state.ledger import Ledger
from mlspec.state.notice import Pending
from mlspec.state.observed import FiledStep, Observed, Seen, Settlement
from mlspec.state.record import FAILED_KIND, FAILURES, Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import Served
from mlspec.state.resource import Json, Kind
from mlspec.targets.record import rows, write
from mlspec.targets.record.store import Database, Files, Value

Noun = TypeVar("Noun")
_RESOURCES = "SELECT * FROM resources WHERE forecast = ?"
_LEDGER = "SELECT record FROM ledgers WHERE forecast = ?"
_CONDITIONS = "SELECT * FROM conditions WHERE forecast = ?"
_DUE = "SELECT * FROM outbox WHERE delivered_at IS NULL AND next_at IS NOT NULL AND next_at <= ? ORDER BY next_at, id"


class Record:
    """What is kept of all forecasts."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._stored = files

    @property
    def lineage(self) -> str:
        """Identity of the state; empty where nothing was ever applied."""
        return self._meta("lineage") or ""

    @property
    def serial(self) -> int:
        """Number of writes to the state so far."""
        return int(self._meta("serial") or 0)

    def session(self) -> AbstractContextManager[None]:
        """Make many looks at the state cheap, for the length of a block."""
        return self._database.session()

    def migrate(self) -> str | None:
        """Bring the state of an older mlspec to this one's schema; say where it is as it was, None for nothing to do."""
        return self._database.migrate()

    def names(self) -> tuple[str, ...]:
        """Return the names of all forecasts of which anything is recorded, sorted."""
        ask = "SELECT forecast FROM resources UNION SELECT forecast FROM events ORDER BY forecast"
        return self._read(lambda row: str(row["forecast"]), ask)

    def observe(self, forecast: str) -> Observed:
        """Return what is held of one forecast, with what is missing of its files; never writes."""
        with self._database.session(), self._database.reading() as connection:
            if connection is None:
                return Observed(forecast)
            seen = [rows.seen_of(row) for row in connection.execute(_RESOURCES, (forecast,))]
            conditions = tuple(rows.condition_of(row) for row in connection.execute(_CONDITIONS, (forecast,)))
            ledger = next(map(rows.ledger_from, connection.execute(_LEDGER, (forecast,))), Ledger())
            looked: dict[FileRef, str | None] = {}
            whole = {each.resource.kind: self._with_damage(each, looked) for each in seen}
        failed = {FAILED_KIND[each.type]: each.message for each in conditions if each.reason in FAILURES}
        return Observed(forecast, whole, failed, ledger, conditions)

    def journal(self, forecast: str, resource: str, phase: str, detail: str, at: str) -> None:
        """Write a line of the journal."""
        with self._database.writing(f"journal {phase} {resource}", forecast) as connection:
            write.journal(connection, forecast, resource, phase, detail, at)

    def step(self, forecast: str, step: str, key: str) -> FiledStep | None:
        """Return the finished step of this key, if it was filed and its files are whole."""
        ask = "SELECT outputs, facts FROM steps WHERE forecast = ? AND step = ? AND key = ?"
        with self._database.session():
            for filed in self._read(rows.step_of, ask, forecast, step, key):
                return None if any(self._stored.damage(ref) for ref in filed.outputs.values()) else filed
        return None

    def file_step(
        self, forecast: str, step: str, key: str, outputs: Mapping[str, Path], facts: Mapping[str, Json], at: str
    ) -> FiledStep:
        """Take a step's files into the store and record the step, once."""
        refs = {role: self._stored.put(path, forecast) for role, path in sorted(outputs.items())}
        with self._database.writing(f"file step {step}", forecast) as connection:
            write.step(connection, forecast, step, key, refs, facts, at)
        return FiledStep(refs, facts)

    def settle(self, settlement: Settlement, at: str) -> None:
        """Record one effect whole, with the journal's `done` line for its resource."""
        name = settlement.forecast
        done = settlement.seen.resource.address if settlement.seen else None
        with self._database.writing(f"settle {done or name}", name) as connection:
            write.settlement(connection, settlement, at)
            if done:
                write.journal(connection, name, done, "done", "", at)

    def path(self, _forecast: str, ref: FileRef) -> Path:
        """Return where a stored file can be read, after checking it against its sha256."""
        return self._stored.path(ref)

    def damaged(self, _forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return which of these stored files are gone or were changed."""
        return frozenset(ref for ref in refs if self._stored.damage(ref))

    def versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        return self._read(rows.version_of, "SELECT record FROM versions WHERE forecast = ? ORDER BY id DESC", forecast)

    def releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        return self._read(rows.release_of, "SELECT * FROM releases WHERE forecast = ? ORDER BY release DESC", forecast)

    def runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return all forecasts made, newest first."""
        return self._read(rows.run_of, "SELECT record FROM runs WHERE forecast = ? ORDER BY id DESC", forecast)

    def events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        return self._read(rows.event_of, "SELECT * FROM events WHERE forecast = ? ORDER BY id DESC", forecast)

    def conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the present conditions."""
        return self._read(rows.condition_of, _CONDITIONS, forecast)

    def due(self, at: str) -> tuple[Pending, ...]:
        """Return the notices whose next attempt is due, the longest overdue first."""
        return self._read(rows.pending_of, _DUE, at)

    def undelivered(self, forecast: str) -> tuple[Pending, ...]:
        """Return the notices of a forecast that a receiver has not taken, newest first."""
        ask = "SELECT * FROM outbox WHERE forecast = ? AND delivered_at IS NULL ORDER BY id DESC"
        return self._read(rows.pending_of, ask, forecast)

    def told(self, pending: Pending, delivered_at: str | None) -> None:
        """Record how an attempt at delivery went: `pending` carries the attempts and the next moment."""
        with self._database.writing(f"told {pending.receiver}") as connection:
            write.told(connection, pending, delivered_at)

    def count_served(self, minutes: Sequence[Served]) -> None:
        """Add a server's counts to those of its minute; what is older than any alert looks back to is dropped."""
        with self._database.writing("count served", counts=True) as connection:
            for each in minutes:
                write.served(connection, each)
            for forecast in sorted({each.forecast for each in minutes}):
                write.forget_served(connection, forecast, max(each.minute for each in minutes))

    def served(self, forecast: str, since: str) -> tuple[Served, ...]:
        """Return what servers counted from the minute `since` on, oldest first."""
        ask = "SELECT * FROM served WHERE forecast = ? AND minute >= ? ORDER BY minute, version"
        return self._read(rows.served_of, ask, forecast, since)

    def forget(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Take down what apply made. With `purge` the records and files go too, without it history stays."""
        # A purged file goes before the commit that forgets it: a purge that is killed can be run again, and leaves no litter.
        for ref in self._only_of(forecast) if purge else ():
            self._stored.discard(ref, forecast)
        with self._database.writing(f"forget {forecast}", forecast) as connection:
            write.forget(connection, forecast, kinds)
            write.unwatch(connection, forecast)
            if purge:
                write.purge(connection, forecast)
            else:
                said = "taken down; history and data are kept"
                write.event(connection, Event(forecast, at, "Normal", "Destroyed", said))

    def _only_of(self, forecast: str) -> tuple[FileRef, ...]:
        """Return the stored files that this forecast names and no other."""
        with self._database.session():
            shared = {sha256 for name in self.names() if name != forecast for sha256 in self._files(name)}
            return tuple(ref for sha256, ref in self._files(forecast).items() if sha256 not in shared)

    def _files(self, forecast: str) -> dict[str, FileRef]:
        """Return every stored file that a record of this forecast names, by sha256."""
        steps = self._read(rows.step_of, "SELECT outputs, facts FROM steps WHERE forecast = ?", forecast)
        found = [step.outputs for step in steps]
        found += [version.files for version in self.versions(forecast)] + [run.files for run in self.runs(forecast)]
        return {ref.sha256: ref for files in found for ref in files.values()}

    def _with_damage(self, seen: Seen, looked: dict[FileRef, str | None]) -> Seen:
        """Return a resource with what is wrong with its files; a file that several name is read once (`looked`)."""
        for ref in seen.files.values():
            if ref not in looked:
                looked[ref] = self._stored.damage(ref)
            if looked[ref]:
                return replace(seen, damage=f"{ref.name} {looked[ref]}")
        return seen

    def _meta(self, key: str) -> str | None:
        """Return one word about the state itself: lineage, serial, schema_version."""
        return next(iter(self._read(lambda row: str(row["value"]), "SELECT value FROM meta WHERE key = ?", key)), None)

    def _read(self, noun: Callable[[Any], Noun], ask: str, *values: Value) -> tuple[Noun, ...]:
        """Return what a question finds, as nouns; nothing where there is no state."""
        with self._database.reading() as connection:
            return () if connection is None else tuple(map(noun, connection.execute(ask, values).fetchall()))
