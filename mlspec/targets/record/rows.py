"""Nouns to rows and back. JSON in a row is canonical, so the same noun is the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import wraps
from typing import Any, TypeVar

from mlspec.errors import StateError
from mlspec.state.ledger import Ledger, ledger_of
from mlspec.state.notice import Notice, Pending
from mlspec.state.observed import FiledStep, Seen
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import Served
from mlspec.state.resource import Json, Resource

Noun = TypeVar("Noun")
Row = Mapping[str, Any]


def _trusted(read: Callable[[Row], Noun]) -> Callable[[Row], Noun]:
    """Say of a row that is no record of ours that somebody else wrote it, in place of what Python says."""

    @wraps(read)
    def reading(row: Row) -> Noun:
        try:
            return read(row)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"the state holds a record that mlspec did not write: {error}",
                hint="restore it from a backup, or move it aside and run `mlspec apply` to build it anew",
            ) from error

    return reading


def to_json(value: Json) -> str:
    """Return canonical JSON; ValueError on NaN, which has none."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def files_to_json(files: Mapping[str, FileRef]) -> str:
    """Return file references by role as JSON."""
    return to_json({role: asdict(ref) for role, ref in files.items()})


def files_of(value: Mapping[str, Any]) -> dict[str, FileRef]:
    """Return file references by role from parsed JSON."""
    return {role: FileRef(**ref) for role, ref in value.items()}


@_trusted
def seen_of(row: Row) -> Seen:
    """Return a resource as it was recorded."""
    resource = Resource(row["kind"], row["forecast"], json.loads(row["fields"]))
    return Seen(resource, json.loads(row["facts"]), files_of(json.loads(row["files"])))


@_trusted
def step_of(row: Row) -> FiledStep:
    """Return a finished step."""
    return FiledStep(files_of(json.loads(row["outputs"])), json.loads(row["facts"]))


def version_to_json(version: Version) -> str:
    """Return a version's whole record."""
    return to_json(asdict(version))


@_trusted
def version_of(row: Row) -> Version:
    """Return a version from its record."""
    record = json.loads(row["record"])
    return Version(**{**record, "files": files_of(record["files"]), "reasons": tuple(record["reasons"])})


def run_to_json(run: ForecastRun) -> str:
    """Return a forecast's whole record."""
    return to_json(asdict(run))


@_trusted
def run_of(row: Row) -> ForecastRun:
    """Return a made forecast from its record."""
    record = json.loads(row["record"])
    return ForecastRun(**{**record, "files": files_of(record["files"])})


@_trusted
def release_of(row: Row) -> Release:
    """Return a release."""
    words = {key: row[key] for key in ("forecast", "release", "version", "created", "spec_hash")}
    return Release(**words, spec=json.loads(row["spec"]))


@_trusted
def event_of(row: Row) -> Event:
    """Return an event."""
    return Event(row["forecast"], row["at"], row["type"], row["reason"], row["message"], row["version"])


@_trusted
def condition_of(row: Row) -> Condition:
    """Return a condition."""
    words = ("forecast", "type", "status", "reason", "message", "since")
    return Condition(**{key: row[key] for key in words})


def ledger_to_json(ledger: Ledger) -> str:
    """Return a ledger's whole record."""
    return to_json(asdict(ledger))


@_trusted
def ledger_from(row: Row) -> Ledger:
    """Return a ledger from its record."""
    return ledger_of(json.loads(row["record"]))


def notice_to_json(notice: Notice) -> str:
    """Return a notice's whole record."""
    return to_json(asdict(notice))


@_trusted
def pending_of(row: Row) -> Pending:
    """Return a line of the outbox."""
    return Pending(
        Notice(**json.loads(row["record"])), row["receiver"], row["attempts"], row["next_at"], row["problem"]
    )


@_trusted
def served_of(row: Row) -> Served:
    """Return one minute of a server."""
    words = {key: row[key] for key in ("forecast", "version", "minute", "requests", "errors")}
    return Served(**words, took=tuple(json.loads(row["took"])))
