"""The statements that write a record, in SQL that every database here supports: `INSERT … ON CONFLICT …` and `?` for a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from mlspec.state.ledger import Ledger
from mlspec.state.notice import PendingNotice
from mlspec.state.observed import ObservedResource, Settlement
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import AHEAD_HOURS, KEPT_HOURS, RequestCount
from mlspec.state.resource import Kind, canonical_json
from mlspec.targets.record import rows
from mlspec.targets.record.prune import deletion_allowed, write_list
from mlspec.targets.record.schema import MOVING, RECORDS
from mlspec.targets.record.store import Connection


def record_settlement(connection: Connection, new: Settlement, at: str) -> None:
    """Write one effect with its version, release, run, resource, ledger, notices, events and conditions.

    A discarded notice is marked like a delivered one: its `problem` says that it was not delivered.
    """
    if new.version:
        _insert_version(connection, new.forecast, new.version)
    if new.release:
        _insert_release(connection, new.forecast, new.release)
    if new.run:
        _insert_run(connection, new.forecast, new.run)
    if new.resource:
        _upsert_resource(connection, new.forecast, new.resource, at)
    delete_resources(connection, new.forecast, new.forgotten_kinds)
    if new.ledger is not None:
        _upsert_ledger(connection, new.forecast, new.ledger)
    for pending in new.notices:
        _insert_notice(connection, new.forecast, pending)
    for pending in new.resent:
        update_delivery(connection, pending, None)
    for pending in new.discarded:
        update_delivery(connection, pending, at)
    for new_event in new.events:
        insert_event(connection, new_event)
    _upsert_conditions(connection, new.conditions)


def insert_step(
    connection: Connection,
    *,
    forecast: str,
    name: str,
    key: str,
    files: Mapping[str, FileRef],
    facts: Mapping[str, Any],
    at: str,
) -> None:
    """Write a finished step, unless it is there already."""
    connection.execute(
        "INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (forecast, name, key, rows.files_to_json(files), canonical_json(dict(facts)), at),
    )


def insert_journal_line(
    connection: Connection, *, forecast: str, resource: str, phase: str, detail: str, at: str
) -> None:
    """Write a line of the journal."""
    connection.execute(
        "INSERT INTO journal (forecast, resource, phase, detail, at) VALUES (?, ?, ?, ?, ?)",
        (forecast, resource, phase, detail, at),
    )


def insert_event(connection: Connection, new: Event) -> None:
    """Write an event."""
    connection.execute(
        "INSERT INTO events (forecast, at, type, reason, message, version) VALUES (?, ?, ?, ?, ?, ?)",
        (new.forecast, new.at, new.type, new.reason, new.message, new.version),
    )


def update_delivery(connection: Connection, pending: PendingNotice, delivered_at: str | None) -> None:
    """Write the result of a delivery attempt. A notice that was delivered, or discarded meanwhile, stays so."""
    connection.execute(
        "UPDATE outbox SET attempts = ?, next_at = ?, problem = ?, delivered_at = ? "
        "WHERE forecast = ? AND notice = ? AND receiver = ? AND delivered_at IS NULL",
        (pending.attempts, pending.next_at, pending.problem, delivered_at,
         pending.notice.forecast, pending.notice.id, pending.receiver),
    )  # fmt: skip


def add_request_count(connection: Connection, new: RequestCount) -> None:
    """Add a server's counts to those of the same minute and version."""
    statement = "SELECT * FROM served WHERE forecast = ? AND minute = ? AND version = ?"
    key = (new.forecast, new.minute, new.version)
    old = next(map(rows.request_count_from_row, connection.execute(statement, key)), None)
    took = [sum(pair) for pair in zip(new.took, old.took, strict=True)] if old else list(new.took)
    counts = (new.requests + (old.requests if old else 0), new.errors + (old.errors if old else 0))
    connection.execute(
        "INSERT INTO served (forecast, minute, version, requests, errors, took) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (forecast, minute, version) DO UPDATE SET "
        "requests = excluded.requests, errors = excluded.errors, took = excluded.took",
        (*key, *counts, canonical_json(took)),
    )


def delete_old_request_counts(connection: Connection, forecast: str, now: str) -> None:
    """Delete the counts of a forecast that are older than KEPT_HOURS, or that a clock which was ahead recorded for later minutes.

    `now` is RFC 3339. A difference of up to AHEAD_HOURS is that of two servers' clocks.
    """
    first = f"{datetime.fromisoformat(now) - timedelta(hours=KEPT_HOURS):%Y-%m-%dT%H:%M:00Z}"
    last = f"{datetime.fromisoformat(now) + timedelta(hours=AHEAD_HOURS):%Y-%m-%dT%H:%M:00Z}"
    connection.execute("DELETE FROM served WHERE forecast = ? AND (minute < ? OR minute > ?)", (forecast, first, last))


def delete_resources(connection: Connection, forecast: str, kinds: Iterable[Kind]) -> None:
    """Remove resources that no longer exist."""
    for kind in kinds:
        connection.execute("DELETE FROM resources WHERE forecast = ? AND kind = ?", (forecast, kind))


def delete_loop_state(connection: Connection, forecast: str) -> None:
    """Remove the loop's state of a removed forecast. It would affect a later forecast of the same name."""
    for table in MOVING[1:]:
        connection.execute(f"DELETE FROM {table} WHERE forecast = ?", (forecast,))  # noqa: S608  (names of our own)


def delete_records(connection: Connection, forecast: str) -> None:
    """Remove every record of a forecast. The triggers allow this only while `purging` in `meta` names the forecast."""
    with deletion_allowed(connection, forecast):
        for table in ("runs", "releases", *(name for name in RECORDS if name not in ("runs", "releases"))):
            connection.execute(f"DELETE FROM {table} WHERE forecast = ?", (forecast,))  # noqa: S608  (names of our own)
    write_list(connection, forecast, {}, "")


def _insert_version(connection: Connection, forecast: str, new: Version) -> None:
    connection.execute(
        "INSERT INTO versions (forecast, version, created, state, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (forecast, new.version, new.created, new.state, rows.version_to_json(new)),
    )


def _insert_release(connection: Connection, forecast: str, new: Release) -> None:
    connection.execute(
        "INSERT INTO releases VALUES (?, ?, ?, ?, ?, ?)",
        (forecast, new.release, new.version, new.created, new.spec_hash, canonical_json(dict(new.spec))),
    )


def _insert_run(connection: Connection, forecast: str, new: ForecastRun) -> None:
    connection.execute(
        "INSERT INTO runs (forecast, version, created, record) VALUES (?, ?, ?, ?)",
        (forecast, new.version, new.created, rows.run_to_json(new)),
    )


def _upsert_resource(connection: Connection, forecast: str, new: ObservedResource, at: str) -> None:
    values = (forecast, new.resource.kind, canonical_json(dict(new.resource.fields)), canonical_json(dict(new.facts)))
    connection.execute(
        "INSERT INTO resources VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (forecast, kind) DO UPDATE SET "
        "fields = excluded.fields, facts = excluded.facts, files = excluded.files, at = excluded.at",
        (*values, rows.files_to_json(new.files), at),
    )


def _upsert_ledger(connection: Connection, forecast: str, new: Ledger) -> None:
    connection.execute(
        "INSERT INTO ledgers VALUES (?, ?) ON CONFLICT (forecast) DO UPDATE SET record = excluded.record",
        (forecast, rows.ledger_to_json(new)),
    )


def _insert_notice(connection: Connection, forecast: str, new: PendingNotice) -> None:
    connection.execute(
        "INSERT INTO outbox (forecast, notice, receiver, record, attempts, next_at, problem) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            forecast,
            new.notice.id,
            new.receiver,
            rows.notice_to_json(new.notice),
            new.attempts,
            new.next_at,
            new.problem,
        ),
    )


def _upsert_conditions(connection: Connection, conditions: Iterable[Condition]) -> None:
    for new in conditions:
        # `since` is the time of the last change of status, so it is kept while the status is the same. An earlier one replaces it:
        # the recorded one then lies in the future, by a clock that was ahead.
        connection.execute(
            "INSERT INTO conditions VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (forecast, type) DO UPDATE SET "
            "since = CASE WHEN conditions.status = excluded.status AND conditions.since <= excluded.since "
            "THEN conditions.since ELSE excluded.since END, "
            "status = excluded.status, reason = excluded.reason, message = excluded.message",
            (new.forecast, new.type, new.status, new.reason, new.message, new.since),
        )
