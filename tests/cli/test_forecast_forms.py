"""What a planner asks of a forecast: an earlier one, what changed, a workbook, how wrong it was, and all of it on a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import openpyxl
import pyarrow.parquet
import pytest

from mlspec.cli.describe_text import traffic_bar
from mlspec.engine import table_file
from mlspec.engine.rows import PlainRows, run_of_release
from mlspec.errors import UsageError
from mlspec.plan.forecast_changes import ForecastValue, compare_forecasts
from mlspec.state.record import ForecastRun, Release
from tests.cli.test_session import Mlspec, applied, mlspec
from tests.examples import edit, sales

__all__ = ["applied", "mlspec"]  # fixtures


@pytest.fixture
def twice(applied: Mlspec) -> Mlspec:
    """A project with two releases: the second one on a week more of data, under another spec."""
    Path("data/sales.csv").write_text(sales(49))
    edit(Path("specs/demand.yaml"), "horizon: 2", "horizon: 9")
    said = applied("apply")
    assert said.code == 0, said.err + said.out
    return applied


def answer(mlspec: Mlspec, *words: str) -> Any:
    said = mlspec(*words, "--output", "json")
    assert said.code == 0, said.err
    return json.loads(said.out)


# --- which forecast ---------------------------------------------------------------------------------------------------------------


def test_a_release_names_the_last_forecast_that_it_made(twice: Mlspec) -> None:
    (first,) = {row["cutoff"] for row in answer(twice, "forecast", "demand", "--release", "r1")["rows"]}
    (second,) = {row["cutoff"] for row in answer(twice, "forecast", "demand", "--release", "2")["rows"]}
    assert (first, second) == ("2024-02-11", "2024-02-18")
    said = twice("forecast", "demand", "--release", "3")
    assert (said.code, "no release r3" in said.err, "r1, r2" in said.err) == (2, True, True)
    said = twice("forecast", "demand", "--release", "1", "--cutoff", "2024-02-11")
    assert (said.code, "each name a forecast" in said.err) == (2, True)


@pytest.mark.parametrize(("followed_by", "found"), [("v2", True), ("v1", False)])
def test_a_forecast_of_the_second_of_the_next_release_is_told_by_its_version(followed_by: str, found: bool) -> None:
    """Moments are of whole seconds: a run of the moment of release 2 is of release 1 only if its version is."""
    at = "2024-03-01T00:00:00Z"
    run = ForecastRun("demand", "v1", "d1", "2024-02-11", at, {})
    releases = [Release("demand", number, version, at, "h", {}) for number, version in ((2, followed_by), (1, "v1"))]
    target: Any = SimpleNamespace(
        forecast_names=lambda: ("demand",), load_releases=lambda _name: releases, load_runs=lambda _name: [run]
    )
    if found:
        assert run_of_release(target, "demand", 1) is run
    else:
        with pytest.raises(UsageError, match="release r1 of demand made no forecast"):
            run_of_release(target, "demand", 1)


@pytest.mark.parametrize("command", ["forecast", "inventory"])
def test_a_series_that_does_not_exist_is_refused(applied: Mlspec, command: str) -> None:
    said = applied(command, "demand", "--series", "shop=7")
    assert (said.code, "no series shop=7" in said.err, said.out) == (2, True, "")


def test_series_are_in_natural_order(mlspec: Mlspec) -> None:
    Path("data/sales.csv").write_text(sales(shops=("shop 10", "shop 9", "shop 1")))
    assert mlspec("apply").code == 0
    found = [row["shop"] for row in answer(mlspec, "inventory", "demand")["rows"]]
    assert found == ["shop 1", "shop 9", "shop 10"]
    assert list(dict.fromkeys(row["shop"] for row in answer(mlspec, "forecast", "demand")["rows"])) == found


# --- what changed -----------------------------------------------------------------------------------------------------------------


def values(*rows: tuple[str, str, float]) -> Sequence[ForecastValue]:
    return [ForecastValue((series,), period, mean) for series, period, mean in rows]


def test_sums_are_over_the_periods_that_both_have_and_what_moved_most_is_first() -> None:
    before = values(("a", "1", 100), ("a", "2", 10), ("b", "2", 20), ("gone", "2", 5))
    after = values(("a", "2", 11), ("a", "3", 900), ("b", "2", 10), ("new", "2", 7))
    found = compare_forecasts(before, after)
    assert found is not None
    assert found.periods == ("2",)
    assert (found.total.before, found.total.after, found.total.change, found.total.share) == (30, 21, -9, -0.3)
    assert [(each.series[0], each.before, each.after, each.change) for each in found.series] == [
        ("b", 20, 10, -10), ("a", 10, 11, 1), ("gone", 5, None, None), ("new", None, 7, None),
    ]  # fmt: skip
    assert (found.new, found.gone) == (1, 1)


def test_forecasts_without_a_common_period_are_not_compared_and_a_share_of_nothing_is_none() -> None:
    assert compare_forecasts(values(("a", "1", 1)), values(("a", "2", 1))) is None
    found = compare_forecasts(values(("a", "1", 0)), values(("a", "1", 3)))
    assert found is not None
    assert (found.total.change, found.total.share) == (3, None)


def test_forecasts_that_share_no_period_are_not_compared(twice: Mlspec) -> None:
    said = twice("forecast", "demand", "--compare", "r1")
    assert (said.code, "have no period in common" in said.err) == (2, True)


def test_compare_shows_total_and_series_and_narrows_to_one(applied: Mlspec) -> None:
    Path("data/sales.csv").write_text(sales(43))
    assert applied("apply").code == 0
    found = answer(applied, "forecast", "demand", "--compare", "previous")
    assert (found["from"]["cutoff"], found["to"]["cutoff"], found["periods"]) == (
        "2024-02-11",
        "2024-02-12",
        ["2024-02-13"],
    )
    assert found["total"]["after"] == pytest.approx(sum(each["after"] for each in found["series"]))
    assert answer(applied, "forecast", "demand", "--compare", "2024-02-11") == found
    text = applied("forecast", "demand", "--compare", "previous").out
    assert "sums over 1 period that both have, 2024-02-13" in text
    assert [line.split()[0] for line in text.splitlines()[2:4]] == ["shop", "total"]
    (only,) = answer(applied, "forecast", "demand", "--compare", "previous", "--series", "shop=NA")["series"]
    assert only["shop"] == "NA"
    said = applied("forecast", "demand", "--compare", "previous", "--series", "shop=7")
    assert (said.code, "no series shop=7" in said.err) == (2, True)
    rows = list(
        csv.DictReader(io.StringIO(applied("forecast", "demand", "--compare", "previous", "--output", "csv").out))
    )
    assert {row["shop"] for row in rows} == {"001", "NA"}


def test_compare_says_what_there_is_if_nothing_fits(applied: Mlspec) -> None:
    for word, reason in (
        ("previous", "no forecast before"),
        ("r7", "no release r7"),
        ("2020-01-01", "no forecast of demand"),
    ):
        said = applied("forecast", "demand", "--compare", word)
        assert (said.code, reason in said.err) == (2, True), said.err


def test_diff_shows_values_beside_specs(applied: Mlspec) -> None:
    Path("data/sales.csv").write_text(sales(43))
    edit(Path("specs/demand.yaml"), "windows: 2", "windows: 3")
    assert applied("apply").code == 0
    text = applied("diff", "demand", "r1", "r2", "--values").out
    assert "model.backtest.windows: 2 -> 3" in text
    assert "sums over 1 period that both have, 2024-02-13" in text
    found = answer(applied, "diff", "demand", "r1", "r2", "--values")
    assert found["values"]["periods"] == ["2024-02-13"]
    assert "values" not in answer(applied, "diff", "demand", "r1", "r2")


# --- files ------------------------------------------------------------------------------------------------------------------------


def test_parquet_has_dates_and_numbers(applied: Mlspec) -> None:
    said = applied("forecast", "demand", "--output", "parquet", "--out", "f.parquet")
    assert (said.code, said.out, "wrote f.parquet: 4 rows" in said.err) == (0, "", True)
    table = pyarrow.parquet.read_table("f.parquet")
    kinds = {field.name: str(field.type) for field in table.schema}
    assert (kinds["day"], kinds["cutoff"], kinds["mean"], kinds["shop"]) == (
        "date32[day]",
        "date32[day]",
        "double",
        "string",
    )
    assert [row["day"].isoformat() for row in table.to_pylist()] == [
        row["day"] for row in answer(applied, "forecast", "demand")["rows"]
    ]
    assert Path("f.parquet").stat().st_mode & 0o077 == 0


def test_a_workbook_has_dates_and_keeps_text_as_text(applied: Mlspec) -> None:
    assert applied("forecast", "demand", "--output", "xlsx", "--out", "f.xlsx").code == 0
    header, *rows = openpyxl.load_workbook("f.xlsx").active.iter_rows(values_only=True)
    first = dict(zip(header, rows[0], strict=True))
    assert (first["shop"], isinstance(first["day"], datetime), isinstance(first["mean"], int | float)) == (
        "001",
        True,
        True,
    )
    evil = PlainRows(["=cmd()", "t"], [["=1+1", None], ["a\x00b", None]])
    book = openpyxl.load_workbook(io.BytesIO(table_file.as_xlsx(evil))).active
    assert [(cell.value, cell.data_type) for cell in (book["A1"], book["A2"], book["A3"])] == [
        ("=cmd()", "s"), ("=1+1", "s"), ("a�b", "s"),
    ]  # fmt: skip


def test_a_workbook_has_local_times_and_parquet_their_offset() -> None:
    rows = PlainRows(["hour"], [["2024-02-13T00:00:00-03:00"], [None]], frozenset({"hour"}))
    assert (
        openpyxl.load_workbook(io.BytesIO(table_file.as_xlsx(rows))).active["A2"].value.isoformat()
        == "2024-02-13T00:00:00"
    )
    (first, missing) = pyarrow.parquet.read_table(io.BytesIO(table_file.as_parquet(rows)))["hour"].to_pylist()
    assert (first, missing) == (datetime.fromisoformat("2024-02-13T00:00:00-03:00"), None)


def test_more_rows_than_a_sheet_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_file, "_MOST_ROWS", 3)
    table_file.as_xlsx(PlainRows(["n"], [[1], [2]]))
    with pytest.raises(UsageError, match="a sheet holds 2 rows, and there are 3"):
        table_file.as_xlsx(PlainRows(["n"], [[1], [2], [3]]))


@pytest.mark.parametrize("form", ["parquet", "xlsx"])
def test_a_form_for_no_terminal_needs_a_file(applied: Mlspec, form: str) -> None:
    said = applied("inventory", "demand", "--output", form)
    assert (said.code, said.out, f"--out demand.{form}" in said.err) == (2, "", True)


def test_out_takes_the_other_forms_too(applied: Mlspec) -> None:
    printed = applied("forecast", "demand", "--output", "csv").out
    assert applied("forecast", "demand", "--output", "csv", "--out", "f.csv").out == ""
    assert Path("f.csv").read_text() == printed


# --- errors and get ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def realised(applied: Mlspec) -> Mlspec:
    """A forecast whose two periods have actual values by now."""
    Path("data/sales.csv").write_text(sales(49))
    said = applied("reconcile", "--once")
    assert said.code == 0, said.err
    return applied


def test_errors_of_what_served_stand_beside_the_backtests(realised: Mlspec) -> None:
    (row,) = answer(realised, "errors", "demand")["rows"]
    assert (row["realised_values"], row["backtest_values"]) == (4, 8)
    (status,) = answer(realised, "status")["forecasts"]
    assert row["backtest_wape"] == pytest.approx(status["metrics"]["wape"])


def test_errors_by_series_have_the_worst_first(realised: Mlspec) -> None:
    rows = answer(realised, "errors", "demand", "--by", "series")["rows"]
    assert {row["shop"] for row in rows} == {"001", "NA"}
    assert rows[0]["realised_wape"] >= rows[1]["realised_wape"]
    assert [row["realised_values"] for row in rows] == [2, 2]
    text = realised("errors", "demand", "--by", "series").out.splitlines()
    assert text[0] == "In each cell: realised | backtest"
    assert text[2].split()[0] == rows[0]["shop"]
    assert all(len(line) <= 80 for line in text)


def test_errors_by_horizon_are_in_order_and_by_segment_have_each_value(realised: Mlspec) -> None:
    rows = answer(realised, "errors", "demand", "--by", "horizon")["rows"]
    assert [(row["periods_ahead"], row["realised_values"]) for row in rows] == [(1, 2), (2, 2)]
    rows = answer(realised, "errors", "demand", "--by", "segment")["rows"]
    assert {(row["segment"], row["value"]) for row in rows} == {("shop", "001"), ("shop", "NA")}


def test_errors_of_one_cutoff(realised: Mlspec) -> None:
    (row,) = answer(realised, "errors", "demand", "--cutoff", "2024-02-11")["rows"]
    assert (row["realised_values"], row["backtest_values"]) == (4, None)
    said = realised("errors", "demand", "--cutoff", "2020-01-01")
    assert (said.code, "was made from '2020-01-01'" in said.err) == (2, True)


def test_errors_without_actual_values_say_so(applied: Mlspec) -> None:
    said = applied("errors", "demand")
    assert (said.code, "nothing is realised" in said.err, "-" in said.out) == (0, True, True)


def test_get_shows_one_forecast_whole(realised: Mlspec) -> None:
    text = click.unstyle(realised("get", "demand").out)
    for part in (
        "state:        ready",
        "Conditions:",
        "DataReady",
        "Traffic:",
        "█" * 30,
        "Errors:",
        "Versions:",
        "Events:",
    ):
        assert part in text, text
    found = answer(realised, "get", "demand")
    (status,) = answer(realised, "status")["forecasts"]
    assert {key: found[key] for key in status} == status
    assert [each["release"] for each in found["releases"]][-1] == 1
    assert found["versions"]
    assert found["events"]


def test_get_of_what_is_not_applied_says_what_to_do(mlspec: Mlspec) -> None:
    said = mlspec("get", "demand")
    assert (said.code, "nothing is applied: run `mlspec apply`" in said.out) == (0, True)
    said = mlspec("get", "demnd")
    assert (said.code, "did you mean 'demand'" in said.err) == (2, True)


def test_a_bar_shows_every_share_that_is_there() -> None:
    assert [traffic_bar(percent).count("█") for percent in (0, 1, 50, 99, 100)] == [0, 1, 15, 29, 30]
