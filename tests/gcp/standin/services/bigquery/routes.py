"""The methods of BigQuery, by path."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid
from tests.gcp.standin.rest import Json, Request, Response, Route, answer, page
from tests.gcp.standin.services.bigquery import modes, values
from tests.gcp.standin.services.bigquery.jobs import Job, insert
from tests.gcp.standin.services.bigquery.warehouse import Name, Warehouse
from tests.gcp.standin.services.storage.objects import HOST

ROWS = 10_000
_UPLOADED = HOST.replace("storage", "bigquery")


def _warehouse(cloud: Cloud) -> Warehouse:
    found: Warehouse = cloud.service(Warehouse)
    return found


def _name(request: Request) -> Name:
    names = request.names
    return Name.of({"projectId": names["project"], "datasetId": names["dataset"], "tableId": names["table"]})


def insert_dataset(cloud: Cloud, request: Request) -> Response:
    """Make a dataset."""
    said = request.json()
    name = said.get("datasetReference", {}).get("datasetId", "")
    return answer(_warehouse(cloud).add_dataset(request.names["project"], name, said))


def get_dataset(cloud: Cloud, request: Request) -> Response:
    """Return a dataset."""
    return answer(_warehouse(cloud).dataset(request.names["project"], request.names["dataset"]))


def delete_dataset(cloud: Cloud, request: Request) -> Response:
    """Remove a dataset; one that holds tables only where the caller says so."""
    contents = request.query.get("deleteContents") == "true"
    _warehouse(cloud).drop_dataset(request.names["project"], request.names["dataset"], contents=contents)
    return Response(204)


def list_datasets(cloud: Cloud, request: Request) -> Response:
    """Return a project's datasets."""
    found = [
        each for (project, _), each in sorted(_warehouse(cloud).datasets.items()) if project == request.names["project"]
    ]
    items, token = page(found, request.query)
    return answer({"kind": "bigquery#datasetList", "datasets": items, **token})


def insert_table(cloud: Cloud, request: Request) -> Response:
    """Make a table."""
    warehouse, said = _warehouse(cloud), request.json()
    name = Name.of(said["tableReference"])
    warehouse.create(name, {key: value for key, value in said.items() if key != "tableReference"})
    return answer(warehouse.table(name))


def get_table(cloud: Cloud, request: Request) -> Response:
    """Return what is said of a table."""
    return answer(_warehouse(cloud).table(_name(request)), request.query.get("fields"))


def list_tables(cloud: Cloud, request: Request) -> Response:
    """Return a dataset's tables."""
    warehouse = _warehouse(cloud)
    where = (request.names["project"], request.names["dataset"])
    names, token = page([*warehouse.names(*where), *warehouse.views_of(*where)], request.query)
    return answer({"kind": "bigquery#tableList", "tables": [warehouse.table(each) for each in names], **token})


def patch_table(cloud: Cloud, request: Request) -> Response:
    """Change what is said of a table. Its columns stay, and others may be added behind them."""
    warehouse, name, change = _warehouse(cloud), _name(request), request.json()
    if "view" in change:
        warehouse.table(name)
        warehouse.write_view(name, {**warehouse.tables[name], **change})
        return answer(warehouse.table(name))
    fields = warehouse.table(name)["schema"]["fields"]
    sent = change.get("schema", {}).get("fields")
    if sent is not None:
        if [(each["name"], each["type"]) for each in sent[: len(fields)]] != [
            (each["name"], each["type"]) for each in fields
        ]:
            raise invalid("the stand-in adds columns to a table, and changes none")
        warehouse.add_fields(name, modes.find_added(str(name), fields, sent, ["ALLOW_FIELD_ADDITION"]))
    said = warehouse.tables.setdefault(name, {})
    said.update(change)
    return answer(warehouse.table(name))


def delete_table(cloud: Cloud, request: Request) -> Response:
    """Remove a table."""
    _warehouse(cloud).drop(_name(request))
    return Response(204)


def list_rows(cloud: Cloud, request: Request) -> Response:
    """Return a page of a table's rows, in the order in which they were written."""
    warehouse, name = _warehouse(cloud), _name(request)
    warehouse.table(name)
    if warehouse.is_view(name):
        raise invalid(f"Cannot list a table of type VIEW: {name}")
    chosen = request.query.get("selectedFields")
    columns = ", ".join(f'"{each}"' for each in chosen.split(",")) if chosen else "*"
    found = warehouse.select(f"SELECT {columns} FROM {name.sql}")
    return answer({"kind": "bigquery#tableDataList", **_page(found, request)})


def _page(found: pa.Table, request: Request) -> Json:
    start = int(request.query.get("pageToken") or request.query.get("startIndex") or 0)
    size = min(int(request.query.get("maxResults") or ROWS), ROWS)
    more = {"pageToken": str(start + size)} if size > 0 and start + size < found.num_rows else {}
    rows = values.rows(found.slice(start, size))
    return {"totalRows": str(found.num_rows), **({"rows": rows} if rows else {}), **more}


def insert_job(cloud: Cloud, request: Request) -> Response:
    """Carry out a job, with its rows in the second part where it loads them from the caller."""
    if request.query.get("uploadType") == "resumable":
        key = f"load-{cloud.next_id()}"
        cloud.service(Pending).said[key] = request
        return Response(200, b"", {"Location": f"{_UPLOADED}{request.path}?uploadType=resumable&upload_id={key}"})
    said, media = (request.json(), None) if "uploadType" not in request.query else request.parts[::2]
    return answer(insert(_warehouse(cloud), request.names["project"], said, media).resource)


class Pending:
    """Loads that have begun and whose rows are still to come."""

    def __init__(self, cloud: Cloud) -> None:
        self.said: dict[str, Request] = {}
        self.data: dict[str, bytes] = {}


def resume_job(cloud: Cloud, request: Request) -> Response:
    """Take a piece of a load's rows; with the last one it is carried out."""
    pending, key = cloud.service(Pending), request.query.get("upload_id", "")
    if key not in pending.said:
        raise Refused("NOT_FOUND", "Not Found")
    data = pending.data[key] = pending.data.get(key, b"") + request.body
    total = request.headers.get("content-range", "").rpartition("/")[2]
    if total == "*" or int(total or len(data)) > len(data):
        return Response(308, b"", {"Range": f"bytes=0-{len(data) - 1}"})
    begun = pending.said.pop(key)
    return answer(insert(_warehouse(cloud), begun.names["project"], begun.json(), pending.data.pop(key)).resource)


def _job(cloud: Cloud, request: Request) -> Job:
    names = request.names
    found = _warehouse(cloud).jobs.get((names["project"], names["job"]))
    if found is None:
        raise Refused("NOT_FOUND", f"Not found: Job {names['project']}:US.{names['job']}")
    return found


def get_job(cloud: Cloud, request: Request) -> Response:
    """Return a job."""
    return answer(_job(cloud, request).resource)


def query_results(cloud: Cloud, request: Request) -> Response:
    """Return a page of what a query found."""
    return answer(_results(_job(cloud, request), request))


def _results(job: Job, request: Request) -> Json:
    if job.wrong is not None:
        raise job.wrong
    said: dict[str, Any] = {"kind": "bigquery#getQueryResultsResponse", "jobReference": job.resource["jobReference"]}
    statistics = job.resource["statistics"].get("query", {})
    affected = {key: statistics[key] for key in ("numDmlAffectedRows",) if key in statistics}
    found = pa.table({}) if job.found is None else job.found
    return {**said, **affected, "jobComplete": True, "schema": values.schema(found), **_page(found, request)}


def query(cloud: Cloud, request: Request) -> Response:
    """Carry out a query and return its first page, in one call."""
    asked = request.json()
    job = insert(_warehouse(cloud), request.names["project"], {"configuration": {"query": asked}}, None)
    return answer({**_results(job, request), "kind": "bigquery#queryResponse"})


_P = "/bigquery/v2/projects/{project}"
_D, _T = f"{_P}/datasets/{{dataset}}", f"{_P}/datasets/{{dataset}}/tables/{{table}}"
ROUTES = [
    Route("POST", f"{_P}/datasets", "bigquery.datasets.insert", insert_dataset),
    Route("GET", f"{_P}/datasets", "bigquery.datasets.list", list_datasets),
    Route("GET", _D, "bigquery.datasets.get", get_dataset),
    Route("DELETE", _D, "bigquery.datasets.delete", delete_dataset),
    Route("POST", f"{_D}/tables", "bigquery.tables.insert", insert_table),
    Route("GET", f"{_D}/tables", "bigquery.tables.list", list_tables),
    Route("GET", _T, "bigquery.tables.get", get_table),
    Route("PATCH", _T, "bigquery.tables.patch", patch_table),
    Route("DELETE", _T, "bigquery.tables.delete", delete_table),
    Route("GET", f"{_T}/data", "bigquery.tabledata.list", list_rows),
    Route("POST", f"{_P}/jobs", "bigquery.jobs.insert", insert_job),
    Route("POST", f"/upload{_P}/jobs", "bigquery.jobs.insert", insert_job),
    Route("PUT", f"/upload{_P}/jobs", "bigquery.jobs.insert", resume_job),
    Route("GET", f"{_P}/jobs/{{job}}", "bigquery.jobs.get", get_job),
    Route("GET", f"{_P}/queries/{{job}}", "bigquery.jobs.getQueryResults", query_results),
    Route("POST", f"{_P}/queries", "bigquery.jobs.query", query),
]
