"""Rows as CSV: no text of a data file becomes a formula in a spreadsheet."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from mlspec.cli.rows import as_csv
from mlspec.engine.rows import PlainRows, read_rows

# https://owasp.org/www-community/attacks/CSV_Injection lists them, with the full-width forms.
STARTS = ["=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n"]


@pytest.mark.parametrize("start", STARTS, ids=repr)
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(start: str) -> None:
    cell = f"{start}cmd|' /C calc'!A0"
    (header, row) = csv.reader(io.StringIO(as_csv(PlainRows([cell, "units"], [[cell, -1.5]])), newline=""))
    assert header[0] == row[0] == f"'{cell}"
    assert row[1] == "-1.5"  # a number stays one


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
