"""Converts state objects to rows and back. JSON in a row is canonical, so equal objects give equal bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from functools import wraps
from typing import Any, TypeVar

from mlspec.errors import StateError
from mlspec.state.ledger import Ledger, ledger_of
from mlspec.state.moment import require_moment
from mlspec.state.notice import Notice, PendingNotice, as_record
from mlspec.state.observed import ObservedResource, RecordedCheck, StoredStep
from mlspec.state.record import Condition, Event, FileRef, ForecastRun, Release, Version
from mlspec.state.request_counts import RequestCount
from mlspec.state.resource import Kind, Resource, canonical_json
from mlspec.state.retention import RecordRow, StepRow
from mlspec.state.typed import Shape, require_shape, require_types

Noun = TypeVar("Noun")
Row = Mapping[str, Any]
_SHA256 = re.compile("[0-9a-f]{64}")


def refuse_foreign_rows(read: Callable[[Row], Noun]) -> Callable[[Row], Noun]:
    """Turn Python's error about an invalid row into a StateError: another program wrote the row."""

    @wraps(read)
    def read_row(row: Row) -> Noun:
        try:
            value = read(row)
            return require_types(value) if is_dataclass(value) else value
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StateError(
                f"the state holds a record that mlspec did not write: {error}",
                hint="restore the state from a backup, or move it away and run `mlspec apply` to build a new one",
            ) from error

    return read_row


def _json_object(text: str) -> dict[str, Any]:
    """Return the object in a JSON text. Raises TypeError if it is another value, ValueError if it is no JSON."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {text[:40]!r}")
    return value


# The facts of a version and of a forecast that others read, and those of resources that decisions read.
_VERSION_FACTS: Shape = {
    "champion_candidate": Mapping, "candidates": list[Mapping[str, Any]], "by": list[Mapping[str, Any]], "cutoffs": list[str],
    "interval": float | None, "auto": list[str], "notes": list[str],
}  # fmt: skip
_CANDIDATE: Shape = {"name": str, "metrics": Mapping[str, float | None]}
_RUN_FACTS: Shape = {"rows": int, "start": str, "end": str, "moment": str, "backfill_of": str, "inventory": Mapping}
_FACTS: Mapping[Kind, Shape] = {
    "data": {},
    "model": {"version": str, "state": str},
    "deployment": {
        "version": str, "release": int, "traffic": Mapping[str, int], "since": str, "shape": str,
    },
    "forecast": {},
}  # fmt: skip


def files_to_json(files: Mapping[str, FileRef]) -> str:
    """Return file references by role as JSON."""
    return canonical_json({role: asdict(ref) for role, ref in files.items()})


def files_from_json(value: Mapping[str, Any]) -> dict[str, FileRef]:
    """Return file references by role from parsed JSON."""
    refs = {role: FileRef(**ref) for role, ref in value.items()}
    for ref in refs.values():
        if not _SHA256.fullmatch(ref.sha256):  # it is a part of the file's path
            raise ValueError(f"'{ref.sha256[:40]}' is no sha256")
    return refs


@refuse_foreign_rows
def resource_from_row(row: Row) -> ObservedResource:
    """Return a resource as it was recorded."""
    resource = Resource(row["kind"], row["forecast"], _json_object(row["fields"]))
    facts = _json_object(row["facts"])
    require_shape(facts, _FACTS[resource.kind], f"{resource.address} facts")
    return ObservedResource(resource, facts, files_from_json(_json_object(row["files"])))


def run_row_from_row(row: Row) -> RecordRow[ForecastRun]:
    """Return the row of a forecast run, with its id."""
    return RecordRow((int(row["id"]),), run_from_row(row), len(row["record"]))


def release_row_from_row(row: Row) -> RecordRow[Release]:
    """Return the row of a release."""
    return RecordRow((int(row["release"]),), release_from_row(row), len(row["spec"]))


def version_row_from_row(row: Row) -> RecordRow[Version]:
    """Return the row of a version."""
    return RecordRow((str(row["version"]),), version_from_row(row), len(row["record"]))


@refuse_foreign_rows
def step_row_from_row(row: Row) -> RecordRow[StepRow]:
    """Return the row of a finished step, without its facts."""
    datetime.fromisoformat(row["at"])
    outputs = files_from_json(json.loads(row["outputs"]))
    size = len(row["outputs"]) + int(row["facts_size"])
    return RecordRow((row["step"], row["key"]), require_types(StepRow(row["step"], row["at"], outputs)), size)


@refuse_foreign_rows
def step_from_row(row: Row) -> StoredStep:
    """Return a finished step."""
    return StoredStep(files_from_json(_json_object(row["outputs"])), _json_object(row["facts"]))


@refuse_foreign_rows
def check_from_row(row: Row) -> RecordedCheck:
    """Return a check of the data."""
    datetime.fromisoformat(row["at"])
    return RecordedCheck(row["at"], _json_object(row["facts"]))


def version_to_json(version: Version) -> str:
    """Return a version's whole record."""
    return canonical_json(asdict(version))


@refuse_foreign_rows
def version_from_row(row: Row) -> Version:
    """Return a version from its record."""
    record = _json_object(row["record"])
    version = Version(**{**record, "files": files_from_json(record["files"]), "reasons": tuple(record["reasons"])})
    require_moment(version.created)
    require_shape(version.facts, _VERSION_FACTS, "facts")
    for candidate in version.facts.get("candidates", ()):
        require_shape({"name": candidate["name"], "metrics": candidate["metrics"]}, _CANDIDATE, "candidate")
    return version


def run_to_json(run: ForecastRun) -> str:
    """Return a forecast's whole record."""
    return canonical_json(asdict(run))


@refuse_foreign_rows
def run_from_row(row: Row) -> ForecastRun:
    """Return a forecast run from its record."""
    record = _json_object(row["record"])
    run = ForecastRun(**{**record, "files": files_from_json(record["files"])})
    require_shape(run.facts, _RUN_FACTS, "facts")
    for at in (run.created, *(run.facts[name] for name in ("moment", "backfill_of") if name in run.facts)):
        require_moment(at)
    return run


@refuse_foreign_rows
def release_from_row(row: Row) -> Release:
    """Return a release."""
    columns = {key: row[key] for key in ("forecast", "release", "version", "created", "spec_hash")}
    require_moment(row["created"])
    return Release(**columns, spec=_json_object(row["spec"]))


@refuse_foreign_rows
def event_from_row(row: Row) -> Event:
    """Return an event."""
    return Event(row["forecast"], row["at"], row["type"], row["reason"], row["message"], row["version"])


@refuse_foreign_rows
def condition_from_row(row: Row) -> Condition:
    """Return a condition."""
    columns = ("forecast", "type", "status", "reason", "message", "since")
    require_moment(row["since"])
    return Condition(**{key: row[key] for key in columns})


def ledger_to_json(ledger: Ledger) -> str:
    """Return a ledger's whole record."""
    return canonical_json(asdict(ledger))


@refuse_foreign_rows
def ledger_from_row(row: Row) -> Ledger:
    """Return a ledger from its record."""
    return ledger_of(_json_object(row["record"]))


def notice_to_json(notice: Notice) -> str:
    """Return a notice's whole record."""
    return canonical_json(as_record(notice))


@refuse_foreign_rows
def pending_from_row(row: Row) -> PendingNotice:
    """Return a pending notice from its outbox row."""
    notice = Notice(**_json_object(row["record"]))
    for at in (notice.at, *([row["next_at"]] if row["next_at"] else [])):
        require_moment(at)
    return PendingNotice(notice, row["receiver"], row["attempts"], row["next_at"], row["problem"])


@refuse_foreign_rows
def request_count_from_row(row: Row) -> RequestCount:
    """Return the request counts of one minute."""
    columns = {key: row[key] for key in ("forecast", "version", "minute", "requests", "errors")}
    require_moment(row["minute"])
    return RequestCount(**columns, took=tuple(json.loads(row["took"])))
