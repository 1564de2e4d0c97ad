"""BigQuery's jobs: queries and loads. Each is done when its insert is answered, well or not."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pyarrow as pa
from pyarrow import parquet

from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Json
from tests.gcp.standin.services.bigquery import locations, modes, values
from tests.gcp.standin.services.bigquery.warehouse import Name, Warehouse
from tests.gcp.standin.services.storage.objects import Store


@dataclass
class Job:
    """A job that was done: what it found, or why not."""

    resource: Json
    found: pa.Table | None = None
    wrong: Refused | None = None


def insert(warehouse: Warehouse, project: str, said: Json, media: bytes | None) -> Job:
    """Carry out a job, once: an id that is known is refused, so that a caller that lost the answer may ask for it."""
    asked = locations.named(warehouse, project, said.get("configuration", {}))
    given = said.get("jobReference", {}).get("location")
    reference = {**said.get("jobReference", {}), "projectId": project, "location": given or locations.first(asked)}
    reference["jobId"] = reference.get("jobId") or f"job_{warehouse.cloud.next_id()}"
    key = (project, reference["jobId"])
    if key in warehouse.jobs:
        raise Refused("ALREADY_EXISTS", f"Already Exists: Job {project}:US.{reference['jobId']}", reason="duplicate")
    now = str(round(warehouse.cloud.now().timestamp() * 1000))
    resource = {
        "kind": "bigquery#job", "id": f"{project}:US.{reference['jobId']}", "jobReference": reference,
        "configuration": said.get("configuration", {}), "status": {"state": "DONE"},
        "statistics": {"creationTime": now, "startTime": now, "endTime": now},
    }  # fmt: skip
    warehouse.jobs[key] = job = Job(resource)
    try:
        locations.check(asked, reference["location"])
        _carry_out(warehouse, project, job, media)
    except Refused as refused:
        _failed(job, refused)
    return job


def _failed(job: Job, refused: Refused) -> None:
    job.wrong = refused
    reason = {"invalidArgument": "invalid"}.get(refused.reason, refused.reason)  # BigQuery's own word
    error = {"reason": reason, "message": refused.message}
    job.resource["status"] |= {"errorResult": error, "errors": [error]}


def _carry_out(warehouse: Warehouse, project: str, job: Job, media: bytes | None) -> None:
    configuration = job.resource["configuration"]
    if "load" in configuration:
        configuration["jobType"] = "LOAD"
        _load(warehouse, job, configuration["load"], media)
    elif "query" in configuration:
        configuration["jobType"] = "QUERY"
        _query(warehouse, project, job, configuration["query"])
    else:
        raise invalid("the stand-in knows jobs that query and jobs that load")


def _query(warehouse: Warehouse, project: str, job: Job, how: Json) -> None:
    given = values.parameters(how.get("queryParameters", []))
    kind, found = warehouse.query(how["query"], project, how.get("defaultDataset"), given)
    if "destinationTable" in how:
        warehouse.write(Name.of(how["destinationTable"]), found, {"writeDisposition": "WRITE_EMPTY", **how})
    else:
        anonymous = {"projectId": project, "datasetId": "_anonymous", "tableId": job.resource["jobReference"]["jobId"]}
        how["destinationTable"] = anonymous
    selects = kind not in {"INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP"}
    said: Json = {"statementType": kind if not selects else "SELECT", "totalBytesProcessed": str(found.nbytes)}
    if not selects and found.num_columns:
        said["numDmlAffectedRows"] = str(found.column(0)[0].as_py())
    job.found = found if selects else found.slice(0, 0).select([])
    job.resource["statistics"]["query"] = said


def _load(warehouse: Warehouse, job: Job, how: Json, media: bytes | None) -> None:
    target = Name.of(how["destinationTable"])
    tables = [_read(warehouse, each, how) for each in _sources(warehouse, how, media)]
    incoming = pa.concat_tables(tables)
    options = how.get("schemaUpdateOptions", [])
    modes.check_options(options, how.get("writeDisposition", "WRITE_APPEND"), target.partition)
    if how.get("sourceFormat") == "PARQUET":
        fields, sent = warehouse.fields(target), how.get("schema", {}).get("fields", [])
        modes.compare(str(target), fields, sent, incoming.schema)
        warehouse.add_fields(target, modes.find_added(str(target), fields, sent, options))
    warehouse.write(target, incoming, how)
    job.resource["statistics"]["load"] = {
        "inputFiles": str(len(tables)), "outputRows": str(incoming.num_rows), "outputBytes": str(incoming.nbytes),
        "badRecords": "0",
    }  # fmt: skip


def _sources(warehouse: Warehouse, how: Json, media: bytes | None) -> Iterator[bytes]:
    if media is not None:
        yield media
        return
    store: Store = warehouse.cloud.service(Store)
    for uri in how.get("sourceUris", []):
        split = urlsplit(uri)
        yield store.object(split.netloc, split.path[1:]).data


def _read(warehouse: Warehouse, data: bytes, how: Json) -> pa.Table:
    format_ = how.get("sourceFormat", "CSV")
    if format_ == "PARQUET":
        return parquet.read_table(io.BytesIO(data))
    if format_ not in {"CSV", "NEWLINE_DELIMITED_JSON"}:
        raise invalid(f"the stand-in does not load {format_}")
    warehouse.cloud.folder.mkdir(parents=True, exist_ok=True)
    path = warehouse.cloud.folder / f"load-{warehouse.cloud.next_id()}"
    path.write_bytes(data)
    try:
        return _read_text(warehouse, path, format_, how)
    except duckdb.Error as wrong:
        raise invalid(f"Error while reading data: {wrong}") from None
    finally:
        path.unlink()


def _read_text(warehouse: Warehouse, path: Path, format_: str, how: Json) -> pa.Table:
    fields = how.get("schema", {}).get("fields", [])
    columns = {each["name"]: values.duck(each) for each in fields}
    if format_ == "NEWLINE_DELIMITED_JSON":
        known: dict[str, Any] = {"columns": columns} if columns else {}
        return warehouse.duck.read_json(str(path), format="newline_delimited", **known).to_arrow_table()
    if not columns:
        return warehouse.duck.read_csv(str(path), delimiter=how.get("fieldDelimiter", ",")).to_arrow_table()
    return warehouse.duck.read_csv(
        str(path), header=False, skiprows=int(how.get("skipLeadingRows", 0)), delimiter=how.get("fieldDelimiter", ","),
        columns=columns,
    ).to_arrow_table()  # fmt: skip
