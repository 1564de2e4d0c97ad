"""BigQuery's own client, unchanged: queries and loads that are carried out."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa
import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound
from google.cloud import bigquery, storage
from pyarrow import parquet

from tests.gcp.standin.harness import Running

TABLE = "acme-test.sales.daily"
SCHEMA = [
    bigquery.SchemaField("day", "DATE", mode="REQUIRED"), bigquery.SchemaField("series", "STRING"),
    bigquery.SchemaField("units", "FLOAT64"), bigquery.SchemaField("at", "TIMESTAMP"),
]  # fmt: skip


@pytest.fixture
def client(standin: Running) -> Iterator[bigquery.Client]:
    with bigquery.Client() as found:
        found.create_dataset("sales")
        yield found


def frame(*days: str, units: float = 1.0) -> pd.DataFrame:
    at = [pd.Timestamp(day, tz="UTC") for day in days]
    return pd.DataFrame({"day": [each.date() for each in at], "series": "a", "units": units, "at": at})


def arrow(rows: pd.DataFrame, *required: str) -> pa.Table:
    """Rows as Arrow's, some columns of which may hold no null."""
    table = pa.Table.from_pandas(rows, preserve_index=False)
    return table.cast(pa.schema([field.with_nullable(field.name not in required) for field in table.schema]))


def load(client: bigquery.Client, rows: pd.DataFrame, table: str = TABLE, disposition: str = "WRITE_APPEND") -> int:
    config = bigquery.LoadJobConfig(
        schema=SCHEMA, write_disposition=disposition, source_format="PARQUET",
        time_partitioning=bigquery.TimePartitioning(field="day"),
    )  # fmt: skip
    file = io.BytesIO()
    parquet.write_table(arrow(rows, "day"), file)
    file.seek(0)
    return int(client.load_table_from_file(file, table, job_config=config).result().output_rows)


def days(client: bigquery.Client) -> dict[str, float]:
    found = client.query_and_wait(f"SELECT day, sum(units) AS units FROM `{TABLE}` GROUP BY day ORDER BY day")
    return {row["day"].isoformat(): row["units"] for row in found}


def test_a_frame_is_loaded_and_read_again(client: bigquery.Client) -> None:
    assert load(client, frame("2024-01-01", "2024-01-02")) == 2
    found = client.list_rows(TABLE).to_arrow(create_bqstorage_client=False)
    assert found.column_names == ["day", "series", "units", "at"]
    assert found.column("day").to_pylist() == [date(2024, 1, 1), date(2024, 1, 2)]
    assert found.column("at")[0].as_py() == datetime(2024, 1, 1, tzinfo=UTC)
    assert [row.units for row in client.list_rows(TABLE, page_size=1)] == [1.0, 1.0]
    assert (client.get_table(TABLE).num_rows, client.get_table(TABLE).schema[0].mode) == (2, "REQUIRED")


def test_a_query_takes_parameters_and_pages(client: bigquery.Client) -> None:
    load(client, frame(*(f"2024-01-0{day}" for day in range(1, 8))))
    config = bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter("since", "DATE", date(2024, 1, 3)),
            bigquery.ArrayQueryParameter("series", "STRING", ["a", "b"]),
        ]
    )
    text = f"SELECT day, at, units FROM `{TABLE}` WHERE day >= @since AND series IN UNNEST(@series) ORDER BY day"
    found = client.query(text, job_config=config).result(page_size=2)
    rows = list(found)
    assert [row["day"].day for row in rows] == [3, 4, 5, 6, 7]
    assert rows[0]["at"] == datetime(2024, 1, 3, tzinfo=UTC)
    assert found.total_rows == 5
    table = client.query(text, job_config=config).to_arrow(create_bqstorage_client=False)
    assert table.num_rows == 5


def test_a_load_appends_replaces_all_or_replaces_a_day(client: bigquery.Client) -> None:
    load(client, frame("2024-01-01", "2024-01-02"))
    load(client, frame("2024-01-02"))
    assert days(client) == {"2024-01-01": 1.0, "2024-01-02": 2.0}
    load(client, frame("2024-01-02", units=7.0), f"{TABLE}$20240102", "WRITE_TRUNCATE")
    assert days(client) == {"2024-01-01": 1.0, "2024-01-02": 7.0}
    with pytest.raises(BadRequest, match="different partitions"):
        load(client, frame("2024-01-03"), f"{TABLE}$20240102", "WRITE_TRUNCATE")
    assert days(client) == {"2024-01-01": 1.0, "2024-01-02": 7.0}
    load(client, frame("2024-01-05"), disposition="WRITE_TRUNCATE")
    assert days(client) == {"2024-01-05": 1.0}
    with pytest.raises(Conflict):
        load(client, frame("2024-01-06"), disposition="WRITE_EMPTY")


def test_text_is_loaded_from_the_caller_and_from_a_bucket(client: bigquery.Client) -> None:
    text = b"day,series,units\n2024-01-01,a,1.5\n2024-01-02,,\n"
    config = bigquery.LoadJobConfig(schema=SCHEMA[:3], skip_leading_rows=1, source_format="CSV")
    client.load_table_from_file(io.BytesIO(text), TABLE, job_config=config).result()
    assert [tuple(row.values()) for row in client.list_rows(TABLE)] == [
        (date(2024, 1, 1), "a", 1.5), (date(2024, 1, 2), None, None),
    ]  # fmt: skip
    with storage.Client() as files:
        blob = files.create_bucket("acme-data").blob("rows.jsonl")
        blob.upload_from_string('{"day": "2024-01-03", "units": 3}\n')
    lines = bigquery.LoadJobConfig(schema=SCHEMA[:3], source_format="NEWLINE_DELIMITED_JSON")
    client.load_table_from_uri("gs://acme-data/rows.jsonl", TABLE, job_config=lines).result()
    assert days(client)["2024-01-03"] == 3.0


def test_a_query_may_write_what_it_finds_to_a_table(client: bigquery.Client) -> None:
    load(client, frame("2024-01-01", "2024-01-02"))
    target = "acme-test.sales.total"
    config = bigquery.QueryJobConfig(destination=target, write_disposition="WRITE_TRUNCATE")
    client.query(f"SELECT count(*) AS n, sum(CAST(units AS INT64)) AS units FROM `{TABLE}`", job_config=config).result()
    assert [tuple(row.values()) for row in client.list_rows(target)] == [(2, 2)]
    assert {each.table_id for each in client.list_tables("sales")} == {"daily", "total"}
    client.delete_table(target)
    with pytest.raises(NotFound):
        client.get_table(target)


def test_what_is_wrong_is_said_as_bigquery_says_it(client: bigquery.Client) -> None:
    with pytest.raises(NotFound, match="nobody"):
        client.query("SELECT 1 FROM sales.nobody").result()
    with pytest.raises(BadRequest):
        client.query("SELEC 1").result()
    with pytest.raises(BadRequest, match="qualified"):
        client.query("SELECT 1 FROM daily").result()
    with pytest.raises(NotFound):
        load(client, frame("2024-01-01"), "acme-test.nobody.daily")
    with pytest.raises(Conflict):
        client.create_dataset("sales")


def test_a_job_is_done_once_even_where_the_answer_was_lost(standin: Running, client: bigquery.Client) -> None:
    load(client, frame("2024-01-01"))
    standin.fault("bigquery.jobs.insert", lost=True)
    client.query(f"INSERT INTO `{TABLE}` (day, units) VALUES ('2024-01-09', 9)").result()
    assert days(client) == {"2024-01-01": 1.0, "2024-01-09": 9.0}


def test_a_dataset_that_holds_tables_goes_only_with_them(client: bigquery.Client) -> None:
    load(client, frame("2024-01-01"))
    with pytest.raises(BadRequest, match="still in use"):
        client.delete_dataset("sales")
    client.delete_dataset("sales", delete_contents=True)
    with pytest.raises(NotFound):
        client.get_dataset("sales")
    with pytest.raises(NotFound):
        client.get_table(TABLE)


@pytest.mark.parametrize(
    ("required", "schema", "says"),
    [
        ((), None, "Field day has changed mode from REQUIRED to NULLABLE"),
        (("day",), None, "Field day has changed mode from REQUIRED to NULLABLE"),
        (
            (),
            SCHEMA,
            "'day' is specified as REQUIRED in provided schema which does not match NULLABLE as specified in the file",
        ),
        (("day", "units"), SCHEMA, "'units' is specified as NULLABLE in provided schema which does not match REQUIRED"),
    ],
)
def test_a_load_whose_modes_are_not_the_table_s_is_refused(
    client: bigquery.Client, required: tuple[str, ...], schema: list[bigquery.SchemaField] | None, says: str
) -> None:
    load(client, frame("2024-01-01"))
    file = io.BytesIO()
    parquet.write_table(arrow(frame("2024-01-02"), *required), file)
    file.seek(0)
    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND", schema=schema)
    with pytest.raises(BadRequest, match=says):
        client.load_table_from_file(file, TABLE, job_config=config).result()
    assert days(client) == {"2024-01-01": 1.0}


ADDITION = ["ALLOW_FIELD_ADDITION"]


@pytest.mark.parametrize(
    ("mode", "options", "table", "says"),
    [
        ("NULLABLE", None, f"{TABLE}$20240102", r"Cannot add fields \(field: note\)"),
        ("REQUIRED", ADDITION, f"{TABLE}$20240102", "Cannot add required fields"),
        ("NULLABLE", ADDITION, TABLE, "only be specified with WRITE_APPEND disposition, or with WRITE_TRUNCATE"),
        ("NULLABLE", ADDITION, f"{TABLE}$20240102", None),
    ],
    ids=["not-allowed", "required", "whole-table", "allowed"],
)
def test_a_load_adds_a_column_where_it_says_that_it_may(
    client: bigquery.Client, mode: str, options: list[str] | None, table: str, says: str | None
) -> None:
    load(client, frame("2024-01-01", "2024-01-02"))
    file = io.BytesIO()
    parquet.write_table(arrow(frame("2024-01-02").assign(note="new"), "day", *["note"] * (mode == "REQUIRED")), file)
    file.seek(0)
    schema = [*SCHEMA, bigquery.SchemaField("note", "STRING", mode=mode)]
    config = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE", schema=schema)
    if options:
        config.schema_update_options = options
    job = client.load_table_from_file(file, table, job_config=config)
    if says is not None:
        with pytest.raises(BadRequest, match=says):
            job.result()
        return
    job.result()
    rows = client.query_and_wait(f"SELECT day, note FROM `{TABLE}` ORDER BY day")
    assert [row["note"] for row in rows] == [None, "new"]
    assert client.get_table(TABLE).schema[-1].mode == "NULLABLE"


def test_a_table_gets_a_column_behind_its_own(client: bigquery.Client) -> None:
    load(client, frame("2024-01-01"))
    table = client.get_table(TABLE)
    table.schema = [*table.schema, bigquery.SchemaField("note", "STRING")]
    client.update_table(table, ["schema"])
    assert [field.name for field in client.get_table(TABLE).schema][-1] == "note"
    table.schema = [*table.schema, bigquery.SchemaField("must", "STRING", mode="REQUIRED")]
    with pytest.raises(BadRequest, match="Cannot add required fields"):
        client.update_table(table, ["schema"])


def test_a_job_runs_where_its_datasets_are_and_finds_them_nowhere_else(standin: Running) -> None:
    with bigquery.Client(location="EU") as owner:
        owner.create_dataset("shop")
    with bigquery.Client() as anywhere, bigquery.Client(location="europe-west1") as elsewhere:
        made = anywhere.query("CREATE TABLE shop.sales AS SELECT 1 AS units")
        made.result()
        assert made.location == "EU"
        with pytest.raises(NotFound, match=r"Dataset acme-test:shop was not found in location europe-west1"):
            elsewhere.query("SELECT * FROM shop.sales").result()
