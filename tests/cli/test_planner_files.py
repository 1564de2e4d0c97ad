"""Files as planners have them, from `init` or a spec to the forecast: a forecast that fits the data, or an exact reason why not."""

from __future__ import annotations

import json
import random
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from mlspec.cli import main as front
from tests.cli.test_session import Mlspec, Said

SPEC = """\
apiVersion: mlspec/v1
kind: Forecast
metadata: {{name: {name}}}
dataset:
  source: {{uri: {uri}}}
  time: date
  series: [store]
  target: units
  frequency: {frequency}
{more}model:
  horizon: {horizon}
  candidates: [{candidate}]
  backtest: {{windows: 2}}
  gate: []
"""
SUNDAY = date(2022, 1, 2)
Row = tuple[Any, ...]


@pytest.fixture
def mlspec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mlspec:
    """Run a command in an empty project."""
    monkeypatch.chdir(tmp_path)
    for folder in ("data", "specs"):
        Path(folder).mkdir()

    def run(*words: str) -> Said:
        code = front.run(list(words))
        return Said(code, *capsys.readouterr())

    return run


def weeks(count: int = 80) -> list[date]:
    return [SUNDAY + timedelta(weeks=week) for week in range(count)]


def weekly(*stores: str, slope: int = 1) -> list[Row]:
    """Sales a little above a thousand that rise by `slope` a week."""
    chance = random.Random(3)
    return [
        (day, store, round(1000 + 100 * chance.random() + slope * week, 2))
        for store in stores
        for week, day in enumerate(weeks())
    ]


def write_csv(name: str, header: str, rows: list[Row]) -> None:
    Path("data", name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows), ""]))


def write_spec(name: str, **words: str) -> None:
    usual = {
        "uri": "data/x.csv",
        "frequency": "W-SUN",
        "more": "",
        "horizon": "4",
        "candidate": "{kind: seasonal-naive}",
    }
    Path("mlspec.yaml").write_text("apiVersion: mlspec/v1\nkind: Project\nname: p\n")
    Path("specs", f"{name}.yaml").write_text(SPEC.format(name=name, **{**usual, **words}))


def rows_of(said: Said) -> list[dict[str, Any]]:
    assert said.code == 0, said.err
    return list(json.loads(said.out)["rows"])


def test_a_frequency_that_no_date_has_is_named_and_stops_no_other_forecast(mlspec: Mlspec) -> None:
    write_csv("x.csv", "date,store,units", weekly("A", "B"))
    write_spec("bad", frequency="W-FRI")
    write_spec("good")
    named = "all dates of the data belong to W-SUN: write dataset.frequency: W-SUN"
    assert named in mlspec("validate", "--data").out
    applied = mlspec("apply")
    assert applied.code != 0
    assert named in applied.out
    assert "good: release 1 serves" in applied.out
    looped = mlspec("reconcile", "--once")
    assert named in looped.err
    status = mlspec("status", "--output", "json").out
    assert {forecast["name"]: forecast["ready"] for forecast in json.loads(status)["forecasts"]} == {
        "bad": False, "good": True,
    }  # fmt: skip


def test_one_bad_cell_moves_no_target_and_is_named(mlspec: Mlspec) -> None:
    rows = [(*row, round(random.Random(place).random(), 3)) for place, row in enumerate(weekly("A", "B"))]
    rows[10] = (*rows[10][:2], "n/d", rows[10][3])
    write_csv("x.csv", "date,store,units,price", rows)
    said = mlspec("init", "--from", "data/x.csv", "--name", "x")
    assert "row 12: 'n/d' in units is not a number" in said.out
    assert "target: units" in Path("specs/x.yaml").read_text()
    applied = mlspec("apply")
    assert applied.code != 0
    assert "x.csv row 12: units 'n/d' is not a number" in applied.out


def test_sales_without_rows_for_no_sale_are_forecast_at_their_own_level_or_the_high_level_is_told(
    mlspec: Mlspec,
) -> None:
    chance = random.Random(3)
    rows = [
        (day, store, 10 + chance.randrange(3))
        for store in "ABC"
        for week, day in enumerate(weeks(120))
        if chance.random() < 0.3 or week in (0, 119)
    ]
    level = sum(row[2] for row in rows) / (3 * 120)
    write_csv("x.csv", "date,store,units", rows)
    mlspec("init", "--from", "data/x.csv", "--name", "proposed", "--horizon", "4")
    proposed = Path("specs/proposed.yaml")
    assert "missing: zero" in proposed.read_text()
    proposed.write_text(proposed.read_text().replace("candidates: auto", "candidates: [{kind: croston}]"))
    write_spec("unsaid", more="  checks: {completeness: {min: 0.1}}\n")
    applied = mlspec("apply")
    assert applied.code == 0, applied.out + applied.err
    forecast = rows_of(mlspec("forecast", "proposed", "--output", "json"))
    assert sum(row["mean"] for row in forecast) / len(forecast) == pytest.approx(level, rel=0.4)
    told = "no row says 0: they are filled as unknown, and never scored. If nothing was sold then, the forecast is too high"
    for said in (applied, mlspec("status", "unsaid"), mlspec("validate", "--data", "specs/unsaid.yaml")):
        assert f"{told}: write dataset.missing: zero" in said.out
    assert told not in mlspec("status", "proposed").out


def test_a_series_that_ended_is_named_by_every_command(mlspec: Mlspec) -> None:
    rows = weekly("A", "B")
    write_csv("x.csv", "date,store,units", [*rows, *((day, "E", units) for day, _, units in rows[:50])])
    write_spec("x", more="  checks: {completeness: {min: 0.5}}\n")
    write_spec("zero", more="  ended_series: zero\n  checks: {completeness: {min: 0.5}}\n")
    fate = "1 series ended, and has no forecast: 'E' (last value 2022-12-11)"
    assert fate in mlspec("apply").out
    for command in ("status", "history"):
        assert fate in mlspec(command, "x").out
    alone = mlspec("forecast", "x", "--series", "store=E")
    assert alone.code == 2
    assert fate in alone.err
    zeros = rows_of(mlspec("forecast", "zero", "--series", "store=E", "--output", "json"))
    assert {(row["mean"], row["q0.9"], row["method"]) for row in zeros} == {(0.0, 0.0, "ended")}


@pytest.mark.parametrize(("delimiter", "encoding", "day_format", "thousands"), [
    (";", "cp1252", "%d/%m/%Y", "."),
    (";", "utf-8", "%d/%m/%Y", "."),
    (",", "utf-8", "%d/%m/%Y", ""),
    (",", "utf-8", "%Y-%m-%d", ""),
])  # fmt: skip
def test_a_brazilian_file_needs_no_option(
    mlspec: Mlspec, delimiter: str, encoding: str, day_format: str, thousands: str
) -> None:
    rows = weekly("São João A", "B")
    lines = [delimiter.join(("Data", "Loja", "Vendas"))]
    for day, store, units in rows:
        number = f"{units:,.2f}".replace(",", thousands and "_").replace(".", ",").replace("_", thousands or "_")
        cell = f'"{number}"' if delimiter == "," else number
        lines.append(delimiter.join((day.strftime(day_format), store, cell)))
    Path("data/vendas.csv").write_bytes(("\r\n".join(lines) + "\r\n").encode(encoding))
    assert mlspec("init", "--from", "data/vendas.csv").code == 0
    spec = Path("specs/vendas.yaml")
    spec.write_text(spec.read_text().replace("candidates: auto", "candidates: [{kind: seasonal-naive}]"))
    applied = mlspec("apply")
    assert applied.code == 0, applied.out + applied.err
    forecast = rows_of(mlspec("forecast", "vendas", "--output", "json"))
    assert {row["Loja"] for row in forecast} == {"São João A", "B"}
    assert all(1000 < row["mean"] < 1250 for row in forecast)


def test_a_plan_whose_values_are_empty_is_refused_and_a_filled_one_is_used(mlspec: Mlspec) -> None:
    chance = random.Random(3)
    rows: list[Row] = []
    for day, store, _units in weekly("A", "B"):
        price = round(5 + chance.random(), 2)
        rows.append((day, store, round(2000 - 200 * price + 20 * chance.random(), 1), price))
    write_csv("x.csv", "date,store,units,price", rows)
    ahead = [SUNDAY + timedelta(weeks=80 + week) for week in range(4)]
    for name, price in (("empty", ""), ("filled", "5.1")):
        write_csv(f"{name}.csv", "date,price", [(day, price) for day in ahead])
        more = f"  covariates: {{known: [price]}}\n  future: {{uri: data/{name}.csv}}\n"
        write_spec(name, more=more, candidate="{kind: gradient-boosting, lags: [1, 2, 3], iterations: 60}")
    applied = mlspec("apply")
    assert "future: price has no value in 4 of its periods" in applied.out
    assert mlspec("forecast", "empty").code != 0
    forecast = rows_of(mlspec("forecast", "filled", "--output", "json"))
    assert all(960 < row["mean"] < 1030 for row in forecast)  # 2000 - 200 * 5.1, and up to 20


@pytest.mark.parametrize(
    ("prices", "keys", "warns"),
    [
        (("5.250", "6.250"), "", {"history", "plan"}),  # no cell tells
        (("5.25", "6.5"), "", set()),  # the history tells how both are written
        (("5.25", "6.5"), ', decimal: "."', {"plan"}),  # the plan is written in another way, and its cells do not tell
        (("5.25", "6.5"), ', thousands: ",", decimal: "."', {"plan"}),
    ],
)
def test_numbers_of_a_plan_with_two_readings_are_told(
    mlspec: Mlspec, prices: tuple[str, str], keys: str, warns: set[str]
) -> None:
    rows = [(day, store, 900 + week, prices[week % 2]) for store in "AB" for week, day in enumerate(weeks())]
    write_csv("x.csv", "date,store,units,price", rows)
    ahead = [SUNDAY + timedelta(weeks=80 + week) for week in range(4)]
    write_csv("plan.csv", "date,price", [(day, "5.250") for day in ahead])
    write_spec("x", more=f"  covariates: {{known: [price]}}\n  future: {{uri: data/plan.csv{keys}}}\n")
    said = mlspec("validate", "--data", "--output", "json")
    warnings = json.loads(said.out).get("warnings", [])
    assert said.code == 0
    assert {"plan" if "in the plan (data/plan.csv)" in each["message"] else "history" for each in warnings} == warns
    assert all(each["path"] == "dataset.covariates.known[0]" for each in warnings)
    assert all("'5.250' in price is read with decimal: \".\"" in each["message"] for each in warnings)


@pytest.mark.parametrize(("form", "warns"), [("", 0), (', date_format: "%d/%m/%Y"', 1)])
def test_dates_of_a_plan_with_two_readings_are_told(mlspec: Mlspec, form: str, warns: int) -> None:
    """The history has days after the 12th, which tell its order; where the plan has a form of its own, only its cells tell."""
    days = [date(2023, 12, 2) - timedelta(days=back) for back in range(120, 0, -1)]
    write_csv("x.csv", "date,store,units,price", [(f"{day:%d/%m/%Y}", "A", 900 + day.day, 5) for day in days])
    write_csv("plan.csv", "date,price", [(f"{day:02}/12/2023", 5) for day in range(2, 6)])
    more = f"  covariates: {{known: [price]}}\n  future: {{uri: data/plan.csv{form}}}\n"
    write_spec("x", uri='data/x.csv, date_format: "%d/%m/%Y"', frequency="D", more=more)
    said = mlspec("validate", "--data", "--output", "json")
    warnings = json.loads(said.out).get("warnings", [])
    assert said.code == 0
    assert len(warnings) == warns
    assert all("'02/12/2023' in date is read as %d/%m/%Y" in each["message"] for each in warnings)


def test_the_mean_of_a_rising_series_lies_inside_its_interval(mlspec: Mlspec) -> None:
    write_csv("x.csv", "date,store,units", weekly("A", "B", slope=4))
    write_spec("x", horizon="8")
    assert mlspec("apply").code == 0
    forecast = rows_of(mlspec("forecast", "x", "--output", "json"))
    assert all(row["q0.1"] <= row["mean"] <= row["q0.9"] for row in forecast)
