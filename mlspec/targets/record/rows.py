"""Converts state objects to rows and back. JSON in a row is canonical, so equal objects give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import wraps
from typing import Any, TypeVar

from mlspec.errors import StateError
from mlspec.state.ledger import Ledger, ledger_of
from mlspec.state.notice import Notice, PendingNotice
from mlspec.state.observed import ObservedResource, StoredStep
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Json, Resource

Noun = TypeVar("Noun")
Row = Mapping[str, Any]


def _refuse_foreign_rows(read: Callable[[Row], Noun]) -> Callable[[Row], Noun]:
    """Turn Python's error about an invalid row into a StateError: another program wrote the row."""

    @wraps(read)
    def read_row(row: Row) -> Noun:
        try:
            return read(row)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"the state holds a record that mlspec did not write: {error}",
                hint="restore the state from a backup, or move it away and run `mlspec apply` to build a new one",
            ) from error

    return read_row


def to_json(value: Json) -> str:
    """Return canonical JSON. Raises ValueError on NaN, which JSON cannot express."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def files_to_json(files: Mapping[str, FileRef]) -> str:
    """Return file references by role as JSON."""
    return to_json({role: asdict(ref) for role, ref in files.items()})


def files_from_json(value: Mapping[str, Any]) -> dict[str, FileRef]:
    """Return file references by role from parsed JSON."""
    return {role: FileRef(**ref) for role, ref in value.items()}


@_refuse_foreign_rows
def resource_from_row(row: Row) -> ObservedResource:
    """Return a resource as it was recorded."""
    resource = Resource(row["kind"], row["forecast"], json.loads(row["fields"]))
    return ObservedResource(resource, json.loads(row["facts"]), files_from_json(json.loads(row["files"])))


@_refuse_foreign_rows
def step_from_row(row: Row) -> StoredStep:
    """Return a finished step."""
    return StoredStep(files_from_json(json.loads(row["outputs"])), json.loads(row["facts"]))


def version_to_json(version: Version) -> str:
    """Return a version's whole record."""
    return to_json(asdict(version))


@_refuse_foreign_rows
def version_from_row(row: Row) -> Version:
    """Return a version from its record."""
    record = json.loads(row["record"])
    return Version(**{**record, "files": files_from_json(record["files"]), "reasons": tuple(record["reasons"])})


def run_to_json(run: ForecastRun) -> str:
    """Return a forecast's whole record."""
    return to_json(asdict(run))


@_refuse_foreign_rows
def run_from_row(row: Row) -> ForecastRun:
    """Return a forecast run from its record."""
    record = json.loads(row["record"])
    return ForecastRun(**{**record, "files": files_from_json(record["files"])})


@_refuse_foreign_rows
def release_from_row(row: Row) -> Release:
    """Return a release."""
    columns = {key: row[key] for key in ("forecast", "release", "version", "created", "spec_hash")}
    return Release(**columns, spec=json.loads(row["spec"]))


@_refuse_foreign_rows
def event_from_row(row: Row) -> Event:
    """Return an event."""
    return Event(row["forecast"], row["at"], row["type"], row["reason"], row["message"], row["version"])


@_refuse_foreign_rows
def condition_from_row(row: Row) -> Condition:
    """Return a condition."""
    columns = ("forecast", "type", "status", "reason", "message", "since")
    return Condition(**{key: row[key] for key in columns})


def ledger_to_json(ledger: Ledger) -> str:
    """Return a ledger's whole record."""
    return to_json(asdict(ledger))


@_refuse_foreign_rows
def ledger_from_row(row: Row) -> Ledger:
    """Return a ledger from its record."""
    return ledger_of(json.loads(row["record"]))


def notice_to_json(notice: Notice) -> str:
    """Return a notice's whole record."""
    return to_json(asdict(notice))


@_refuse_foreign_rows
def pending_from_row(row: Row) -> PendingNotice:
    """Return a pending notice from its outbox row."""
    return PendingNotice(
        Notice(**json.loads(row["record"])), row["receiver"], row["attempts"], row["next_at"], row["problem"]
    )


@_refuse_foreign_rows
def request_count_from_row(row: Row) -> RequestCount:
    """Return the request counts of one minute."""
    columns = {key: row[key] for key in ("forecast", "version", "minute", "requests", "errors")}
    return RequestCount(**columns, took=tuple(json.loads(row["took"])))
