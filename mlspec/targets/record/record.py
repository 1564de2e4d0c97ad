"""The record of a target: implements the record methods of `targets.base.Target` on any database and any file store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mlspec.errors import StateError
from mlspec.state.ledger import Ledger
from mlspec.state.notice import NEVER, PendingNotice
from mlspec.state.observed import Observed, ObservedResource, RecordedCheck, Settlement, StoredStep
from mlspec.state.record import FAILED_KIND, FAILURES, Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Json, Kind
from mlspec.state.retention import AgedRows, AgedTable, Pruning, RecordContents, RegisteredCounts
from mlspec.targets.record import prune, rows, write
from mlspec.targets.record.store import Connection, Database, Files, Value

logger = logging.getLogger(__name__)
Noun = TypeVar("Noun")
_RESOURCES = "SELECT * FROM resources WHERE forecast = ?"
_LEDGER = "SELECT record FROM ledgers WHERE forecast = ?"
_CONDITIONS = "SELECT * FROM conditions WHERE forecast = ?"
_RUNS = "SELECT record FROM runs WHERE forecast = ? ORDER BY id DESC"
_RUN_ROWS = "SELECT id, record FROM runs WHERE forecast = ? ORDER BY id DESC"
_RELEASE_ROWS = "SELECT * FROM releases WHERE forecast = ? ORDER BY release DESC"
_VERSION_ROWS = "SELECT version, record FROM versions WHERE forecast = ? ORDER BY id DESC"
_STEP_ROWS = "SELECT step, key, outputs, length(facts) AS facts_size, at FROM steps WHERE forecast = ? ORDER BY at DESC, step, key"
_CHECKS = "SELECT at, facts FROM steps WHERE forecast = ? AND step = 'check' ORDER BY at DESC, key LIMIT 400"
_DUE = (
    "SELECT * FROM outbox WHERE delivered_at IS NULL AND next_at IS NOT NULL AND (next_at <= ? OR next_at > ?) "
    "ORDER BY next_at, id"
)

_ACCEPTED = (  # a discarded notice has a problem
    "SELECT * FROM outbox WHERE forecast = ? AND notice = ? AND delivered_at IS NOT NULL AND problem = '' ORDER BY id"
)


class Record:
    """The recorded state of all forecasts."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database = database
        self._file_store = files

    @property
    def lineage(self) -> str:
        """The state's unique id; empty if nothing was ever applied."""
        return self._read_meta("lineage") or ""

    @property
    def serial(self) -> int:
        """Number of writes to the state so far."""
        serial = self._read_meta("serial") or "0"
        if not serial.isdecimal():
            raise StateError(
                f"the state's serial is '{serial[:40]}', which mlspec did not write",
                hint="restore the state from a backup, or move it away and run `mlspec apply` to build a new one",
            )
        return int(serial)

    def read_session(self) -> AbstractContextManager[None]:
        """Reuse one connection for all reads inside a block."""
        return self._database.read_session()

    def migrate_schema(self) -> str | None:
        """Upgrade the state to this mlspec's schema. Return where the earlier state is kept, None if nothing was to do."""
        return self._database.migrate_schema()

    def forecast_names(self) -> tuple[str, ...]:
        """Return the names of all forecasts with a record, sorted."""
        statement = "SELECT forecast FROM resources UNION SELECT forecast FROM events ORDER BY forecast"
        return self._query_rows(lambda row: str(row["forecast"]), statement)

    def observe_forecast(self, forecast: str) -> Observed:
        """Return the recorded state of one forecast, with the damage of its files. Never writes."""
        with self._database.read_session(), self._database.read_connection() as connection:
            return Observed(forecast) if connection is None else self._with_damage(_read_observed(connection, forecast))

    def load_ledger(self, forecast: str) -> Ledger:
        """Return what the loop remembers of one forecast. Looks at no file."""
        return next(iter(self._query_rows(rows.ledger_from_row, _LEDGER, forecast)), Ledger())

    def write_journal(self, forecast: str, *, resource: str, phase: str, detail: str, at: str) -> None:
        """Write a line of the journal."""
        with self._database.write_transaction(f"write the journal line '{phase} {resource}'", forecast) as connection:
            write.insert_journal_line(
                connection, forecast=forecast, resource=resource, phase=phase, detail=detail, at=at
            )

    def find_step(self, forecast: str, step: str, key: str) -> StoredStep | None:
        """Return the finished step of this key; None if it is not recorded or one of its files is damaged."""
        statement = "SELECT outputs, facts FROM steps WHERE forecast = ? AND step = ? AND key = ?"
        with self._database.read_session():
            for filed in self._query_rows(rows.step_from_row, statement, forecast, step, key):
                return None if any(self._file_store.find_damage(ref) for ref in filed.outputs.values()) else filed
        return None

    def file_step(
        self, forecast: str, *, step: str, key: str, outputs: Mapping[str, Path], facts: Mapping[str, Json], at: str
    ) -> StoredStep:
        """Copy a step's files into the store and record the step. A second call changes nothing."""
        refs = {role: self._file_store.store_file(path, forecast) for role, path in sorted(outputs.items())}
        with self._database.write_transaction(f"record the step {step}", forecast) as connection:
            write.insert_step(connection, forecast=forecast, name=step, key=key, files=refs, facts=facts, at=at)
        for role, path in sorted(outputs.items()):
            # Another forecast's prune may have removed a file of the same bytes before this row named it. Now none does any more.
            if self._file_store.find_damage(refs[role]) is not None:
                self._file_store.store_file(path, forecast)
        return StoredStep(refs, facts)

    def record_settlement(self, settlement: Settlement, at: str) -> Observed:
        """Record one effect in one transaction, with the journal's `done` line. Return the recorded state after it."""
        name = settlement.forecast
        address = settlement.resource.resource.address if settlement.resource else None
        with self._database.write_transaction(f"record the settlement of {address or name}", name) as connection:
            write.record_settlement(connection, settlement, at)
            if address:
                write.insert_journal_line(connection, forecast=name, resource=address, phase="done", detail="", at=at)
            observed = _read_observed(connection, name)
        with self._database.read_session():
            return self._with_damage(observed)

    def fetch_file(self, _forecast: str, ref: FileRef) -> Path:
        """Return a local path of a stored file, after a check of its sha256."""
        return self._file_store.fetch_file(ref)

    def find_damaged_files(self, _forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return the stored files that are missing or changed."""
        return frozenset(ref for ref in refs if self._file_store.find_damage(ref))

    def load_versions(self, forecast: str) -> tuple[Version, ...]:
        """Return all versions, newest first."""
        return self._query_rows(
            rows.version_from_row, "SELECT record FROM versions WHERE forecast = ? ORDER BY id DESC", forecast
        )

    def load_releases(self, forecast: str) -> tuple[Release, ...]:
        """Return all releases, newest first."""
        return self._query_rows(
            rows.release_from_row, "SELECT * FROM releases WHERE forecast = ? ORDER BY release DESC", forecast
        )

    def load_runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return all forecast runs that were made in time, newest first."""
        return tuple(run for run in self._all_runs(forecast) if run.backfill_of is None)

    def find_newest_run(self, forecast: str) -> ForecastRun | None:
        """Return the newest forecast run that was made in time, None if there is none. Older rows are not read."""
        with self._database.read_connection() as connection:
            fetched = () if connection is None else connection.execute(_RUNS, (forecast,)).fetchall()
        return next((run for run in map(rows.run_from_row, fetched) if run.backfill_of is None), None)

    def load_backfills(self, forecast: str) -> tuple[ForecastRun, ...]:
        """Return the forecast runs that backfills made after their moments, the last made first."""
        return tuple(run for run in self._all_runs(forecast) if run.backfill_of is not None)

    def _all_runs(self, forecast: str) -> tuple[ForecastRun, ...]:
        return self._query_rows(rows.run_from_row, _RUNS, forecast)

    def load_events(self, forecast: str) -> tuple[Event, ...]:
        """Return all events, newest first."""
        return self._query_rows(
            rows.event_from_row, "SELECT * FROM events WHERE forecast = ? ORDER BY id DESC", forecast
        )

    def load_checks(self, forecast: str) -> tuple[RecordedCheck, ...]:
        """Return the last 400 recorded checks of the data, newest first."""
        return self._query_rows(rows.check_from_row, _CHECKS, forecast)

    def load_conditions(self, forecast: str) -> tuple[Condition, ...]:
        """Return the current conditions."""
        return self._query_rows(rows.condition_from_row, _CONDITIONS, forecast)

    def load_due_notices(self, at: str, latest: str = NEVER) -> tuple[PendingNotice, ...]:
        """Return the notices whose next delivery attempt is due, the longest overdue first. One that cannot be read is logged."""
        return tuple(pending for pending in self._query_rows(_pending_or_none, _DUE, at, latest) if pending)

    def load_undelivered_notices(self, forecast: str) -> tuple[PendingNotice, ...]:
        """Return the notices of a forecast that are not delivered, newest first."""
        statement = "SELECT * FROM outbox WHERE forecast = ? AND delivered_at IS NULL ORDER BY id DESC"
        return self._query_rows(rows.pending_from_row, statement, forecast)

    def load_accepted_notices(self, forecast: str, notice: str) -> tuple[PendingNotice, ...]:
        """Return the entries of one notice, by its id, at receivers that accepted it. What was discarded is not among them."""
        return self._query_rows(rows.pending_from_row, _ACCEPTED, forecast, notice)

    def mark_delivered(self, pending: PendingNotice, delivered_at: str | None, event: Event | None = None) -> None:
        """Record one delivery attempt, with an event if there is one to tell in the history.

        `pending` holds the number of attempts and the time of the next one.
        """
        with self._database.write_transaction(f"record the delivery to {pending.receiver}") as connection:
            write.update_delivery(connection, pending, delivered_at)
            if event:
                write.insert_event(connection, event)

    def add_request_counts(self, minutes: Sequence[RequestCount]) -> None:
        """Add a server's counts to those of the same minute. Delete counts that are older than every alert's window."""
        with self._database.write_transaction("add request counts", keep_serial=True) as connection:
            for count in minutes:
                write.add_request_count(connection, count)
            for forecast in sorted({count.forecast for count in minutes}):
                write.delete_old_request_counts(connection, forecast, max(count.minute for count in minutes))

    def load_request_counts(self, forecast: str, since: str) -> tuple[RequestCount, ...]:
        """Return the request counts from the minute `since` (RFC 3339) on, oldest first."""
        statement = "SELECT * FROM served WHERE forecast = ? AND minute >= ? ORDER BY minute, version"
        return self._query_rows(rows.request_count_from_row, statement, forecast, since)

    def load_contents(self, forecast: str) -> RecordContents:
        """Return the rows of a forecast that name files."""
        with self._database.read_session():
            return RecordContents(
                self._query_rows(rows.run_row_from_row, _RUN_ROWS, forecast),
                self._query_rows(rows.release_row_from_row, _RELEASE_ROWS, forecast),
                self._query_rows(rows.version_row_from_row, _VERSION_ROWS, forecast),
                self._query_rows(rows.step_row_from_row, _STEP_ROWS, forecast),
            )

    def measure_old_rows(self, forecast: str, before: Mapping[AgedTable, str]) -> Mapping[AgedTable, AgedRows]:
        """Return how many rows of a forecast go and stay by age alone, by table."""
        with self._database.read_connection() as connection:
            if connection is None:
                return {table: AgedRows(0, 0, 0) for table in before}
            return prune.measure_old_rows(connection, forecast, before)

    def measure_registered(self, _forecast: str, _pruning: Pruning) -> RegisteredCounts | None:
        """Return None: there is no model registry."""
        return None

    def find_stored_files(self, _forecast: str, refs: Collection[FileRef]) -> frozenset[FileRef]:
        """Return those of the files that are stored, by their names alone."""
        return self._file_store.find_stored(refs)

    def prune_records(self, pruning: Pruning, at: str, *, whole: bool = False) -> None:
        """Delete rows in one transaction, and list the files that nothing needs after it. Without such rows and files: no write."""
        name, stored = pruning.forecast, self._file_store.find_stored(pruning.files)
        pruning = replace(pruning, files=tuple(ref for ref in pruning.files if ref in stored))
        with self._database.read_connection() as reading:
            if reading is None:
                return
            old_rows = prune.find_old_rows(reading, pruning, whole=whole)
            known = prune.read_lists(reading, name).get(name, {})
        has_rows = any(pruning.rows.values()) or any(old_rows.values())
        if not has_rows and prune.changed_list(known, pruning, at) == known:
            return
        with self._database.write_transaction(f"prune {name}", name, keep_serial=not has_rows) as connection:
            prune.delete_rows(connection, pruning)
            prune.delete_old_rows(connection, old_rows)
            known = prune.read_lists(connection, name).get(name, {})
            prune.write_list(connection, name, prune.changed_list(known, pruning, at), at)

    def load_unneeded_files(self, forecast: str) -> tuple[FileRef, ...]:
        """Return the files that stand in this forecast's list of unneeded ones."""
        return tuple(self._listed_files(forecast).values())

    def load_file_users(self) -> Mapping[str, frozenset[str]]:
        """Return the names of the forecasts that name a file, by sha256."""
        with self._database.read_connection() as connection:
            return prune.file_users(connection) if connection else {}

    def remove_unneeded_files(self, forecast: str, at: str, only: Collection[str] | None = None) -> tuple[FileRef, ...]:
        """Remove the listed files that nothing has needed for a day, and return them: of all forecasts, or of those in `only`.

        A file is removed within a transaction. So a row that names it is written before, and seen, or after, and its writer finds
        the file missing and stores it again.
        """
        with self._database.read_connection() as reading:
            if reading is None or not prune.is_look_due(reading, at):
                return ()
        with self._database.write_transaction("remove unneeded files", forecast, keep_serial=True) as connection:
            lists = prune.read_lists(connection)
            unneeded = prune.unneeded_files(connection, lists, prune.grace_began(at), only)
            self._file_store.remove_files(tuple(unneeded.values()), connection)
            prune.forget_files(connection, lists, unneeded.keys(), at, is_part=only is not None)
        return tuple(unneeded.values())

    def remove_forecast(self, forecast: str, kinds: tuple[Kind, ...], *, purge: bool, at: str) -> None:
        """Remove what apply made. With `purge`, remove the records and files too; without it, keep the history."""
        # Files are deleted before the commit that deletes their records: a killed purge can run again and leaves no file behind.
        for ref in self._unshared_files(forecast) if purge else ():
            self._file_store.discard_file(ref, forecast)
        with self._database.write_transaction(f"remove {forecast}", forecast) as connection:
            write.delete_resources(connection, forecast, kinds)
            write.delete_loop_state(connection, forecast)
            if purge:
                write.delete_records(connection, forecast)
            else:
                message = "taken down; history and data are kept"
                write.insert_event(connection, Event(forecast, at, "Normal", "Destroyed", message))

    def _unshared_files(self, forecast: str) -> tuple[FileRef, ...]:
        """Return the stored files that only this forecast references."""
        with self._database.read_session():
            shared = {
                sha256 for name in self.forecast_names() if name != forecast for sha256 in self._referenced_files(name)
            }
            return tuple(ref for sha256, ref in self._referenced_files(forecast).items() if sha256 not in shared)

    def _referenced_files(self, forecast: str) -> dict[str, FileRef]:
        """Return every stored file that this forecast's records reference, by sha256."""
        steps = self._query_rows(rows.step_from_row, "SELECT outputs, facts FROM steps WHERE forecast = ?", forecast)
        file_maps = [step.outputs for step in steps]
        file_maps += [version.files for version in self.load_versions(forecast)] + [
            run.files for run in self._all_runs(forecast)
        ]
        return {**self._listed_files(forecast), **{ref.sha256: ref for files in file_maps for ref in files.values()}}

    def _listed_files(self, forecast: str) -> dict[str, FileRef]:
        """Return the files that stand in this forecast's list of unneeded ones."""
        with self._database.read_connection() as connection:
            lists = prune.read_lists(connection, forecast) if connection else {}
        return {sha256: entry.ref for sha256, entry in lists.get(forecast, {}).items()}

    def _with_damage(self, observed: Observed) -> Observed:
        """Return a forecast's recorded state with the damage of each resource's files."""
        known_damage: dict[FileRef, str | None] = {}
        checked = {kind: self._check_files(seen, known_damage) for kind, seen in observed.resources.items()}
        return replace(observed, resources=checked)

    def _check_files(self, seen: ObservedResource, known_damage: dict[FileRef, str | None]) -> ObservedResource:
        """Return a resource with the damage of its files. `known_damage` holds results, so that a shared file is read once."""
        for ref in seen.files.values():
            if ref not in known_damage:
                known_damage[ref] = self._file_store.find_damage(ref)
            if known_damage[ref]:
                return replace(seen, damage=f"{ref.name} {known_damage[ref]}")
        return seen

    def _read_meta(self, key: str) -> str | None:
        """Return a property of the state itself: lineage, serial or schema_version."""
        return next(
            iter(self._query_rows(lambda row: str(row["value"]), "SELECT value FROM meta WHERE key = ?", key)), None
        )

    def _query_rows(self, from_row: Callable[[Any], Noun], statement: str, *values: Value) -> tuple[Noun, ...]:
        """Return a query's rows as objects; an empty tuple if there is no state."""
        with self._database.read_connection() as connection:
            return () if connection is None else tuple(map(from_row, connection.execute(statement, values).fetchall()))


def _pending_or_none(row: Any) -> PendingNotice | None:
    """Return a row's notice, None if it cannot be read: the notices of other forecasts are sent nevertheless."""
    try:
        return rows.pending_from_row(row)
    except StateError as error:
        logger.warning("a notice of %s cannot be sent: %s", row["forecast"], error.message)
        return None


def _read_observed(connection: Connection, forecast: str) -> Observed:
    """Return the recorded state of one forecast, without a check of its files.

    All rows are fetched before one is read: a row that cannot be read must not leave a statement open, which would lock the record
    against every writer.
    """
    fetched = [
        connection.execute(statement, (forecast,)).fetchall() for statement in (_RESOURCES, _CONDITIONS, _LEDGER)
    ]
    resources = [rows.resource_from_row(row) for row in fetched[0]]
    conditions = tuple(rows.condition_from_row(row) for row in fetched[1])
    ledger = next(map(rows.ledger_from_row, fetched[2]), Ledger())
    failed = {FAILED_KIND[entry.type]: entry.message for entry in conditions if entry.reason in FAILURES}
    return Observed(forecast, {entry.resource.kind: entry for entry in resources}, failed, ledger, conditions)
