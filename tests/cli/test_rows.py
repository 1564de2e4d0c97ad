"""Rows as CSV: no text of a data file becomes a formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from mlspec.cli.rows import as_csv, as_text, print_rows
from mlspec.engine.rows import PlainRows, read_rows

# https://owasp.org/www-community/attacks/CSV_Injection lists them, with the full-width forms.
STARTS = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n"]


@pytest.mark.parametrize("start", STARTS, ids=repr)
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(start: str) -> None:
    cell = f"{start}cmd|' /C calc'!A0"
    (header, row) = csv.reader(io.StringIO(as_csv(PlainRows([cell, "units"], [[cell, -1.5]])), newline=""))
    assert header[0] == row[0] == f"'{cell}"
    assert row[1] == "-1.5"  # a number stays one


WIDE = PlainRows(
    ["store", "day", "cutoff", "mean", "q0.1", "q0.25", "q0.5", "q0.75", "q0.9", "version"],
    [["a shop", "2024-03-01", "2024-02-29", 1.5, 1.0, 1.2, 1.4, 1.6, 1.9, "v0123456789"]],
)


def test_a_narrow_terminal_shows_the_columns_that_tell_most_and_names_the_others() -> None:
    assert as_text(WIDE, None).splitlines()[0].split() == WIDE.columns
    titles, row, note = as_text(WIDE, None, 50).splitlines()
    assert titles.split() == ["store", "day", "mean", "q0.1", "q0.25", "q0.75", "q0.9"]
    assert max(map(len, (titles, row))) <= 50
    assert note == "(--output csv or a wider terminal also shows: cutoff, q0.5, version)"
    assert as_text(WIDE, None, 10).splitlines()[0].split() == [
        "store",
        "day",
        "mean",
    ]  # what a forecast is, however narrow


def test_stock_levels_fit_a_narrow_terminal_by_what_is_ordered() -> None:
    columns = ["store", "protection_demand", "safety_stock", "reorder_point", "order_up_to"]
    text = as_text(PlainRows(columns, [["a shop", 10, 2, 12, 20]]), None, 50)
    assert text.splitlines()[0].split() == ["store", "safety_stock", "reorder_point", "order_up_to"]


def test_a_table_is_fitted_to_a_terminal_and_not_to_a_file_or_a_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    print_rows("demand", WIDE, "text", 0)
    assert capsys.readouterr().out.splitlines()[0].split() == WIDE.columns
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    print_rows("demand", WIDE, "text", 0)
    assert "version" not in capsys.readouterr().out.splitlines()[0]


def test_midnight_is_a_time_like_any_other_where_periods_are_hours(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pd.DataFrame(
        {"hour": pd.date_range("2024-02-12 23:00", periods=2, freq="h"), "cutoff": pd.Timestamp("2024-02-12")}
    ).to_parquet(file)
    assert read_rows(file).values == [
        ["2024-02-12T23:00:00", "2024-02-12T00:00:00"], ["2024-02-13T00:00:00", "2024-02-12T00:00:00"],
    ]  # fmt: skip
    assert read_rows(file, "America/Sao_Paulo").values[1][0] == "2024-02-13T00:00:00-03:00"


def test_days_are_dates_in_any_zone(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pd.DataFrame({"day": pd.date_range("2024-02-12", periods=2)}).to_parquet(file)
    assert read_rows(file, "America/Sao_Paulo").values == [["2024-02-12"], ["2024-02-13"]]
