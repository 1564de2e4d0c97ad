"""What Cloud Storage and BigQuery refuse of names, columns and settings, over REST. Each row has its source."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rest import Json, Request

_BIGQUERY, _STORAGE = "cloud.google.com/bigquery", "cloud.google.com/storage"
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,299}")
_RESERVED = ("_TABLE_", "_FILE_", "_PARTITION", "_ROW_TIMESTAMP", "__ROOT__", "_COLIDENTIFIER")
_TYPES = {
    "STRING", "BYTES", "INTEGER", "INT64", "FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC", "BOOLEAN", "BOOL", "TIMESTAMP", "DATE",
    "TIME", "DATETIME", "GEOGRAPHY", "JSON", "RECORD", "STRUCT", "RANGE", "INTERVAL",
}  # fmt: skip
_LABEL_KEY, _LABEL_VALUE = re.compile(r"[a-z][a-z0-9_-]{0,62}"), re.compile(r"[a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class JsonLimit:
    """A rule for the bodies of some methods: its words, its source, and what finds the values that break it."""

    methods: tuple[str, ...]
    says: str
    source: str
    broken: Callable[[Json], Iterable[object]]


def _labels(body: Json) -> Iterator[str]:
    labels = body.get("labels") or {}
    yield from (
        key for key, value in labels.items() if not (_LABEL_KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(str(value)))
    )
    if len(labels) > 64:
        yield "more than 64"


def _fields(body: Json) -> list[Json]:
    return list((body.get("schema") or {}).get("fields") or [])


def _columns(body: Json) -> Iterator[str]:
    names = [field.get("name", "") for field in _fields(body)]
    yield from (name for name in names if not _COLUMN.fullmatch(name) or name.upper().startswith(_RESERVED))
    lower = [name.lower() for name in names]
    yield from sorted({name for name in lower if lower.count(name) > 1})


def _partition(body: Json) -> Iterator[str]:
    said = body.get("timePartitioning") or {}
    kinds = {field.get("name"): field.get("type") for field in _fields(body)}
    if said and said.get("type") not in {"DAY", "HOUR", "MONTH", "YEAR"}:
        yield str(said.get("type"))
    if said.get("field") and kinds.get(said["field"]) not in {"DATE", "TIMESTAMP", "DATETIME"}:
        yield f"{said['field']}, which is {kinds.get(said['field'])}"


def _configuration(body: Json, kind: str, key: str) -> Iterator[Any]:
    value = body.get("configuration", {}).get(kind, {}).get(key)
    if value is not None:
        yield value


def _dispositions(body: Json) -> Iterator[str]:
    for kind in ("load", "query"):
        for key, allowed in (
            ("writeDisposition", {"WRITE_TRUNCATE", "WRITE_APPEND", "WRITE_EMPTY", "WRITE_TRUNCATE_DATA"}),
            ("createDisposition", {"CREATE_IF_NEEDED", "CREATE_NEVER"}),
        ):
            yield from (value for value in _configuration(body, kind, key) if value not in allowed)


def _schema_options(body: Json) -> Iterator[str]:
    for kind in ("load", "query"):
        for options in _configuration(body, kind, "schemaUpdateOptions"):
            yield from (each for each in options if each not in {"ALLOW_FIELD_ADDITION", "ALLOW_FIELD_RELAXATION"})


def _bucket_name(body: Json) -> Iterator[str]:
    name = body.get("name", "")
    parts = name.split(".")
    long = len(name) > (222 if len(parts) > 1 else 63) or any(len(part) > 63 for part in parts)
    taken = name.startswith("goog") or "google" in name or re.fullmatch(r"(\d+\.){3}\d+", name)
    if long or taken or not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", name):
        yield name


def _dataset_id(body: Json) -> Iterator[str]:
    name = body.get("datasetReference", {}).get("datasetId", "")
    if not re.fullmatch(r"\w{1,1024}", name, re.ASCII):
        yield name


def _table_id(body: Json) -> Iterator[str]:
    name = body.get("tableReference", {}).get("tableId", "")
    if not re.fullmatch(r"[\w -]+", name) or len(name.encode()) > 1024:
        yield name


def _job_id(body: Json) -> Iterator[str]:
    name = body.get("jobReference", {}).get("jobId")
    if name and not re.fullmatch(r"[\w-]{1,1024}", name, re.ASCII):
        yield name


LIMITS: tuple[JsonLimit, ...] = (
    JsonLimit(("storage.buckets.create",), "Invalid bucket name", f"{_STORAGE}/docs/buckets#naming", _bucket_name),
    JsonLimit(
        ("storage.buckets.create", "storage.buckets.update", "bigquery.datasets.insert", "bigquery.tables.insert"),
        "a label's key matches [a-z][a-z0-9_-]{0,62}, its value [a-z0-9_-]{0,63}, and there are at most 64",
        f"{_STORAGE}/docs/tags-and-labels, {_BIGQUERY}/docs/labels-intro", _labels,
    ),
    JsonLimit(
        ("bigquery.datasets.insert",), "Invalid dataset ID: letters, digits and underscores, at most 1024",
        f"{_BIGQUERY}/docs/datasets#dataset-naming",
        _dataset_id,
    ),
    JsonLimit(
        ("bigquery.tables.insert",), "Invalid table ID: letters, marks, digits, connectors, dashes or spaces, at most 1024 bytes",
        f"{_BIGQUERY}/docs/tables#table_naming",
        _table_id,
    ),
    JsonLimit(
        ("bigquery.tables.insert",), "Invalid field name: at most 300 letters, digits, underscores, no digit first, once",
        f"{_BIGQUERY}/docs/schemas#column_names", _columns,
    ),
    JsonLimit(
        ("bigquery.tables.insert",), "Invalid type of a field", f"{_BIGQUERY}/docs/reference/rest/v2/tables#TableFieldSchema",
        lambda body: [field.get("type") for field in _fields(body) if field.get("type") not in _TYPES],
    ),
    JsonLimit(
        ("bigquery.tables.insert",), "Invalid mode of a field", f"{_BIGQUERY}/docs/reference/rest/v2/tables#TableFieldSchema",
        lambda body: [mode for field in _fields(body)
                      if (mode := field.get("mode") or "NULLABLE") not in {"NULLABLE", "REQUIRED", "REPEATED"}],
    ),
    JsonLimit(
        ("bigquery.tables.insert",), "A table is partitioned by a DATE, TIMESTAMP or DATETIME, and by DAY, HOUR, MONTH or YEAR",
        f"{_BIGQUERY}/docs/reference/rest/v2/tables#TimePartitioning", _partition,
    ),
    JsonLimit(
        ("bigquery.jobs.insert",), "Invalid job ID: at most 1024 letters, digits, underscores and dashes",
        f"{_BIGQUERY}/docs/reference/rest/v2/JobReference",
        _job_id,
    ),
    JsonLimit(
        ("bigquery.jobs.insert",), "Invalid disposition",
        f"{_BIGQUERY}/docs/reference/rest/v2/Job#JobConfigurationLoad", _dispositions,
    ),
    JsonLimit(
        ("bigquery.jobs.insert",), "Invalid schema update option",
        f"{_BIGQUERY}/docs/reference/rest/v2/Job#JobConfigurationLoad", _schema_options,
    ),
    JsonLimit(
        ("bigquery.jobs.insert", "bigquery.jobs.query"), "The query is too large: at most 1,048,576 characters",
        f"{_BIGQUERY}/quotas#query_jobs",
        lambda body: [len(text) for text in [*_configuration(body, "query", "query"), body.get("query") or ""]
                      if isinstance(text, str) and len(text) > 1_048_576],
    ),
)  # fmt: skip


def check_body(method: str, request: Request) -> None:
    """Raise Refused where the JSON of a request breaks a rule; a body with rows behind it is looked at in its first part."""
    mine = [limit for limit in LIMITS if method in limit.methods]
    if mine and request.method != "PUT":
        body = _first_json(request)
        wrong = [f"{limit.says}: {str(found)[:80]!r}" for limit in mine for found in limit.broken(body)]
        if wrong:
            raise invalid("; ".join(wrong))


def _first_json(request: Request) -> Json:
    """Return the JSON of a request, without the rows that may stand behind it."""
    if "multipart/" not in request.headers.get("content-type", ""):
        return request.json()
    part = request.body.partition(b"\r\n\r\n")[2].partition(b"\r\n--")[0]
    return dataclasses.replace(request, body=part).json()


def check_object_name(name: str) -> None:
    """Raise Refused where an object cannot be called so. Source: cloud.google.com/storage/docs/objects#naming."""
    if not 1 <= len(name.encode()) <= 1024 or re.search(r"[\r\n]", name) or name in {".", ".."}:
        raise invalid(f"Invalid object name: {name[:80]!r}")
    if name.startswith(".well-known/acme-challenge/"):
        raise invalid(f"Object names must not begin with .well-known/acme-challenge/: {name[:80]!r}")
