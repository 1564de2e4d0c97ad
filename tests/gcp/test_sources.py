"""What a forecast may read on Google Cloud: objects, tables, queries; new data is seen, and the same data is not."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.examples import forecast_spec, sales
from tests.forecast.layouts import Sales, Written, csv_bytes, write_partitions
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.terraform.provider.cloud import Cloud

ONCE = ("reconcile", "--once")
ELSEWHERE = "EU"  # where the tables of sources lie: not in the target's region, as BigQuery's defaults do not
OBJECTS = "gs://acme-test-mlspec-data/demand/*.csv"


def warehouse(acme: Acme, days: int) -> None:
    """Let the table acme-test.sales.daily hold so many days."""
    from google.cloud import bigquery as bq

    client = bq.Client(project=acme.project, location=ELSEWHERE)
    client.create_dataset("acme-test.sales", exists_ok=True)
    schema = [bq.SchemaField("shop", "STRING"), bq.SchemaField("day", "DATE"), bq.SchemaField("units", "INT64")]
    client.delete_table("acme-test.sales.daily", not_found_ok=True)
    client.create_table(bq.Table("acme-test.sales.daily", schema=schema))
    rows = [{**row, "units": int(row["units"])} for row in csv.DictReader(io.StringIO(sales(days=days)))]
    settings = bq.LoadJobConfig(schema=schema, write_disposition="WRITE_TRUNCATE")
    client.load_table_from_json(rows, "acme-test.sales.daily", job_config=settings).result()


def read_from(acme: Acme, source: str) -> None:
    """Let the spec read from somewhere else."""
    path = acme.root / "specs" / "demand.yaml"
    path.write_text(path.read_text().replace(f"{{uri: {OBJECTS}}}", source))


def forecast(acme: Acme, capsys: pytest.CaptureFixture[str]) -> Any:
    return [
        {key: value for key, value in row.items() if key != "version"}
        for row in acme.asked(capsys, "forecast", "demand")["rows"]
    ]


@pytest.mark.parametrize("source", [
    "{uri: 'bq://acme-test.sales.daily'}",
    "{query: 'SELECT shop, day, units FROM `acme-test.sales.daily`', datasets: [acme-test.sales]}",
], ids=["table", "query"])  # fmt: skip
def test_bigquery_gives_what_the_same_rows_in_a_file_give(
    acme: Acme, terraform_too: Cloud, capsys: pytest.CaptureFixture[str], source: str
) -> None:
    assert acme.run(*ONCE) == 0
    from_objects = forecast(acme, capsys)
    acme.run("destroy", "demand", "--purge", "--yes")
    warehouse(acme, 42)
    read_from(acme, source)
    assert acme.run(*ONCE) == 0
    assert forecast(acme, capsys) == from_objects
    before = acme.changed()
    assert acme.run(*ONCE) == 0
    assert {key: acme.changed()[key] - before[key] for key in acme.changed() if "jobs.insert" not in key}.keys()
    assert acme.changed()["storage.objects.insert"] == before["storage.objects.insert"]
    warehouse(acme, 43)
    assert acme.run(*ONCE) == 0
    assert forecast(acme, capsys) != from_objects


def test_the_table_of_an_older_mlspec_gets_the_column_that_came_later(acme: Acme) -> None:
    table = platform.table(acme.project, "demand")
    assert "method" not in {field.name for field in platform.bigquery(acme.project).get_table(table).schema}
    assert acme.run(*ONCE) == 0
    assert {row["method"] for row in acme.rows()} == {None}
    spec = acme.root / "specs" / "demand.yaml"
    spec.write_text(spec.read_text().replace("frequency: D\n", "frequency: D\n  ended_series: zero\n"))
    assert acme.run(*ONCE) == 0
    assert {row["method"] for row in acme.rows()} == {"model"}


def test_an_object_that_is_written_anew_with_the_same_bytes_is_the_same_data(acme: Acme) -> None:
    acme.run(*ONCE)
    acme.data(sales())
    before = acme.changed()
    acme.run(*ONCE)
    assert acme.changed() == before


def test_an_object_is_read_in_the_dialect_of_its_spec_and_a_folder_with_its_partitions(
    acme: Acme, tmp_path: Path
) -> None:
    from mlspec.forecast.load import load_history
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.data.sources import Sources

    table = Sales(tuple((pd.Timestamp("2024-01-01") + pd.Timedelta(days=day), "São", day + 0.5) for day in range(9)))
    keys = {"delimiter": ";", "decimal": ",", "encoding": "cp1252", "date_format": "%d/%m/%Y", "compression": "gzip"}
    acme.data(csv_bytes(table, Written(keys)), "vendas/v.csv.gz")
    write_partitions(table, tmp_path / "parts")
    for part in (tmp_path / "parts").rglob("*.parquet"):
        acme.data(part.read_bytes(), f"parts/{part.relative_to(tmp_path / 'parts').as_posix()}")
    clients = Clients(acme.project, "europe-west1")
    sources = Sources(clients)
    for number, source in enumerate(
        ({"uri": "gs://acme-test-mlspec-data/vendas/*.gz", "format": "csv", **keys},
         {"uri": "gs://acme-test-mlspec-data/parts", "format": "parquet"})
    ):  # fmt: skip
        columns = {"time": "data", "series": ["loja"], "target": "vendas"}
        spec, root = sources.fetch_source(
            forecast_spec(dataset={"source": source, **columns}), acme.root, tmp_path / str(number)
        )
        rows = load_history(spec.dataset, root)
        assert rows.bad.empty
        assert list(rows.frame["y"]) == [units for _, _, units in table.rows]
        assert set(rows.frame["unique_id"]) == {"São"}
    clients.close()


def test_a_table_of_terms_in_the_project_is_read_beside_fetched_data(acme: Acme, tmp_path: Path) -> None:
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.data.sources import Sources

    inventory = {"service_level": 0.9, "lead_time": {"uri": "data/terms.csv"}}
    spec = forecast_spec(dataset={"source": {"uri": OBJECTS}}, inventory=inventory)
    table = acme.root / "data/terms.csv"
    table.parent.mkdir(exist_ok=True)
    table.write_text("shop,lead_time\n001,1\n")
    clients = Clients(acme.project, "europe-west1")
    sources = Sources(clients)
    before = sources.inspect_source(spec, acme.root)
    _, root = sources.fetch_source(spec, acme.root, tmp_path)
    assert (root / "data/terms.csv").read_text() == table.read_text()
    table.write_text("shop,lead_time\n001,2\n")
    after = sources.inspect_source(spec, acme.root)
    assert (before.files[-1], before.digest != after.digest) == ("data/terms.csv", True)
    clients.close()


@pytest.mark.parametrize("source", [OBJECTS, "data/sales.csv"])
def test_files_of_events_are_read_from_the_project_and_from_buckets(acme: Acme, tmp_path: Path, source: str) -> None:
    from mlspec.forecast.event_files import read_event_files
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.data.sources import Sources

    uris = ("data/events.csv", "gs://acme-test-mlspec-data/events/school.csv")
    events = {"fair": {"uri": uris[0]}, "carnival": {"uri": uris[0]}, "school": {"uri": uris[1]}, "pay": ["day 5"]}
    spec = forecast_spec(dataset={"source": {"uri": source}, "covariates": {"events": events}})
    folder = acme.root / "data"
    folder.mkdir(exist_ok=True)
    (folder / "sales.csv").write_text(sales())
    (folder / "events.csv").write_text("event,date\nfair,2024-03-01\ncarnival,2024-02-12\n")
    acme.data(b"date\n2024-07-01\n", "events/school.csv")
    clients = Clients(acme.project, "europe-west1")
    sources = Sources(clients)
    before = sources.inspect_source(spec, acme.root)
    assert before.files[1:] == uris
    fetched, root = sources.fetch_source(spec, acme.root, tmp_path)
    found = read_event_files(fetched.dataset, root)
    assert {name: list(map(str, days)) for name, days in found.days.items()} == {
        "fair": ["2024-03-01"], "carnival": ["2024-02-12"], "school": ["2024-07-01"],
    }  # fmt: skip
    assert fetched.dataset.covariates.events["pay"] == ("day 5",)
    acme.data(b"date\n2025-07-01\n", "events/school.csv")
    after = sources.inspect_source(spec, acme.root)
    (folder / "events.csv").write_text("event,date\nfair,2025-03-01\ncarnival,2024-02-12\n")
    assert len({before.digest, after.digest, sources.inspect_source(spec, acme.root).digest}) == 3
    clients.close()


def test_data_that_is_nowhere_is_said_with_its_address(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    read_from(acme, "{uri: 'gs://acme-test-mlspec-data/elsewhere/*.csv'}")
    assert acme.run(*ONCE) == 1
    assert "no object matches gs://acme-test-mlspec-data/elsewhere/*.csv" in capsys.readouterr().err


def test_a_query_that_bigquery_refuses_is_said_in_its_words(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse(acme, 1)
    read_from(acme, "{query: 'SELECT nothing FROM `acme-test.sales.daily`', datasets: [acme-test.sales]}")
    assert acme.run(*ONCE) == 1
    said = capsys.readouterr().err
    assert "BigQuery refused the query" in said
    assert "Traceback" not in said


def test_a_query_whose_datasets_are_not_named_may_not_read_them(acme: Acme, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse(acme, 1)
    read_from(acme, "{query: 'SELECT * FROM `acme-test.sales.daily`'}")
    assert acme.run(*ONCE) == 1
    said = capsys.readouterr().err
    assert "Permission bigquery.tables.getData denied on table acme-test:sales.daily" in said
    assert "hint: name the query's datasets under dataset.source.datasets" in said


def test_a_bucket_of_many_folders_is_listed_whole_inside_a_session(acme: Acme) -> None:
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.data.sources import Sources

    names = [f"f{number:02}" for number in range(30)]
    for name in names:
        acme.data(f"of {name}", f"{name}/sales.csv")
        acme.data("not read", f"{name}/older/sales.csv")
    clients = Clients(acme.project, "europe-west1")
    sources = Sources(clients)

    def looks() -> list[str]:
        specs = (
            forecast_spec(dataset={"source": {"uri": f"gs://acme-test-mlspec-data/{name}/*.csv"}}) for name in names
        )
        return [sources.inspect_source(spec, acme.root).digest for spec in specs]

    one_by_one = looks()
    before = acme.standin.counted()["storage.objects.list"]
    sources.begin_session()
    assert looks() == one_by_one
    assert acme.standin.counted()["storage.objects.list"] - before == 3
    sources.end_session()
    clients.close()


def test_a_bucket_that_may_not_be_listed_whole_is_listed_by_folder(acme: Acme, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlspec.errors import TargetError
    from mlspec.targets.gcp.clients import Clients
    from mlspec.targets.gcp.data.sources import Sources
    from mlspec.targets.gcp.record.bucket import Bucket, StoredObject

    listing = Bucket.list_objects

    def by_folder(self: Bucket, prefix: str, **more: int) -> tuple[StoredObject, ...]:
        if not prefix:
            raise TargetError("no access (403)")
        return listing(self, prefix, **more)

    monkeypatch.setattr(Bucket, "list_objects", by_folder)
    clients = Clients(acme.project, "europe-west1")
    sources = Sources(clients)
    sources.begin_session()
    for number in range(5):
        acme.data("x", f"f{number}/sales.csv")
        spec = forecast_spec(dataset={"source": {"uri": f"gs://acme-test-mlspec-data/f{number}/*.csv"}})
        assert sources.inspect_source(spec, acme.root).files == (f"gs://acme-test-mlspec-data/f{number}/sales.csv",)
    clients.close()
