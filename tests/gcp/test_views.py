"""What dashboards read in BigQuery: the views that Terraform makes, on the tables that the loop writes."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, NotFound
from google.cloud import bigquery

from mlspec.cli import main as front
from mlspec.spec.gcp.forecast_views import key_columns, quantile_columns
from tests.examples import forecast_spec, project, sales, spec_text
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.platform import REGION
from tests.gcp.standin.harness import Running
from tests.terraform.provider.cloud import Cloud


def rows(standin: Running, query: str) -> list[dict[str, Any]]:
    """The rows of a query of the views of `demand`."""
    text = query.replace("demand_", f"{standin.project}.mlspec_demand.demand_")
    return [dict(row) for row in platform.bigquery(standin.project).query(text).result()]


@pytest.fixture
def shop(terraform_too: Cloud, standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A forecast without an alert that terraform and the loop made, with two days of sales more since its first one."""
    platform.buckets(standin.project)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = project(tmp_path / "shop", demand=spec_text("demand"))
    target = f"{{type: gcp, project: {standin.project}, region: {REGION}}}"
    (folder / "mlspec.yaml").write_text(
        f"apiVersion: mlspec/v1\nkind: Project\nname: shop\ntargets: {{prod: {target}}}\n"
    )
    monkeypatch.chdir(folder)
    assert front.run(["apply", "--target", "prod", "--yes"]) == 0
    return folder


def test_dashboards_read_the_newest_forecast_one_of_any_day_and_what_came(
    shop: Path, standin: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    first = rows(standin, "SELECT * FROM `demand_latest`")
    assert rows(standin, "SELECT * FROM `demand_realised`") == []
    (shop / "data" / "sales.csv").write_text(sales(days=44))
    assert front.run(["reconcile", "--once", "--target", "prod"]) == 0
    capsys.readouterr()
    assert front.run(["forecast", "demand", "--target", "prod", "--output", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)["rows"]

    latest = rows(standin, "SELECT * FROM `demand_latest`")
    assert {(row["shop"], row["time"].date().isoformat()): (row["mean"], row["q90"]) for row in latest} == {
        (row["shop"], row["day"]): (row["mean"], row["q0.9"]) for row in shown
    }
    assert {row["cutoff"] for row in latest} == {date(2024, 2, 13)}

    whole = rows(standin, "SELECT * FROM `demand_as_of`")
    assert {(row["cutoff"], row["next_cutoff"]) for row in whole} == {
        (date(2024, 2, 11), date(2024, 2, 13)),
        (date(2024, 2, 13), None),
    }
    day = "DATE '2024-02-12'"
    then = rows(
        standin, f"SELECT * FROM `demand_as_of` WHERE cutoff <= {day} AND (next_cutoff > {day} OR next_cutoff IS NULL)"
    )
    assert {(row["series"], row["time"], row["mean"]) for row in then} == {
        (row["series"], row["time"], row["mean"]) for row in first
    }

    realised = rows(standin, "SELECT * FROM `demand_realised` WHERE newest ORDER BY series, time")
    sold = {(row.split(",")[0], row.split(",")[1]): float(row.split(",")[2]) for row in sales(days=44).splitlines()[1:]}
    assert [(row["shop"], row["time"].day) for row in realised] == [("001", 12), ("001", 13), ("NA", 12), ("NA", 13)]
    for row in realised:
        assert row["actual"] == sold[row["shop"], row["time"].date().isoformat()]
        assert row["error"] == row["mean"] - row["actual"]
    wape = sum(abs(row["error"]) for row in realised) / sum(row["actual"] for row in realised)
    front.run(["status", "--target", "prod", "--output", "json"])
    (status,) = json.loads(capsys.readouterr().out)["forecasts"]
    assert status["realised"]["wape"] == pytest.approx(wape)
    assert "Healthy" not in {condition["type"] for condition in status["conditions"]}  # nothing says what is


def test_a_table_of_actual_values_that_is_not_there_yet_holds_up_nothing(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after an upgrade of mlspec, until the next apply."""
    acme.say(alerts="[{name: accuracy, metric: wape, above: 3}]")
    acme.run("reconcile", "--once")
    acme.data(sales(days=43))
    assert acme.run("reconcile", "--once") == 0
    events = acme.asked(capsys, "history", "demand")["events"]
    (event,) = [event for event in events if event["reason"] == "ActualsNotWritten"][:1]
    assert event["message"].endswith("run `mlspec apply`: it creates the table")


@pytest.mark.parametrize(
    ("series", "columns"),
    [
        (["shop", "article"], ("shop", "article")),
        (["loja nº", "shop"], ("shop",)),
        (["Shop", "shop"], ("Shop",)),
        (["Mean", "error", "_row", "q10", "x`y"], ()),
    ],
)
def test_a_key_is_a_column_where_bigquery_takes_its_name(series: list[str], columns: tuple[str, ...]) -> None:
    spec = forecast_spec()
    dataset = spec.dataset.model_copy(update={"series": tuple(series)})
    assert key_columns(spec.model_copy(update={"dataset": dataset})) == columns


def test_a_quantile_is_a_column_named_in_percent() -> None:
    spec = forecast_spec(model={"quantiles": [0.9, 0.025, 0.07]})
    assert [(column.name, column.quantile) for column in quantile_columns(spec)] == [
        ("q2_5", 0.025),
        ("q7", 0.07),
        ("q90", 0.9),
    ]


@pytest.fixture
def warehouse(standin: Running) -> bigquery.Client:
    """A dataset with a partitioned table that asks for a filter."""
    client: bigquery.Client = platform.bigquery(standin.project)
    client.create_dataset("sales")
    table = bigquery.Table(f"{standin.project}.sales.daily", [bigquery.SchemaField("day", "DATE")])
    table.time_partitioning, table.require_partition_filter = bigquery.TimePartitioning(field="day"), True
    client.create_table(table)
    return client


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT day FROM `{project}.sales.daily`", "without a filter over column"),
        (
            "SELECT day FROM `{project}.sales.daily` WHERE day = (SELECT DATE '2024-01-01')",
            "without a filter over column",
        ),
        ("SELECT day FROM `sales.daily` WHERE day > '2024-01-01'", "has no project"),
        ("SELECT nothing FROM `{project}.sales.daily` WHERE day > '2024-01-01'", "nothing"),
        ("DELETE FROM `{project}.sales.daily` WHERE day > '2024-01-01'", "Only SELECT statements"),
    ],
)
def test_bigquery_refuses_a_view_that_no_query_could_read(warehouse: bigquery.Client, query: str, said: str) -> None:
    view = bigquery.Table(f"{warehouse.project}.sales.newest")
    view.view_query = query.format(project=warehouse.project)
    with pytest.raises(BadRequest, match=said):
        warehouse.create_table(view)


def test_a_view_reads_as_a_table_and_is_not_written(warehouse: bigquery.Client) -> None:
    view = bigquery.Table(f"{warehouse.project}.sales.newest")
    view.view_query = f"SELECT MAX(day) AS newest FROM `{warehouse.project}.sales.daily` WHERE day >= '2024-01-01'"
    made = warehouse.create_table(view)
    assert (made.table_type, made.schema[0].name) == ("VIEW", "newest")
    assert [row["newest"] for row in warehouse.query("SELECT newest FROM sales.newest").result()] == [None]
    with pytest.raises(BadRequest, match="VIEW"):
        warehouse.load_table_from_json([{"newest": "2024-01-01"}], made.reference).result()
    warehouse.delete_table(made)
    with pytest.raises(NotFound):
        warehouse.get_table(made)
