"""A wide table, with a column for each period, is read as the rows that it stands for."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast.frame import Layout
from mlspec.forecast.frequency import parse_frequency, period_grid
from mlspec.forecast.load import load_history
from mlspec.forecast.regular import build_panel
from mlspec.forecast.replay import load_replay
from mlspec.forecast.spans import row_rules
from mlspec.jobs.profile import profile_file
from mlspec.spec.dataset import Dataset
from tests.forecast.layouts import Sales, Written, csv_bytes, dataset, wide_cells, wide_csv_bytes

DAY = pd.Timestamp("2024-01-01")


@st.composite
def sparse_sales(draw: st.DrawFn) -> Sales:
    shops = draw(
        st.lists(
            st.text("aZ09 ãç;,.'/-", min_size=1, max_size=5).filter(lambda name: name.strip() == name),
            min_size=1,
            max_size=3,
            unique=True,
        )
    )
    units = st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)
    days = st.lists(st.integers(0, 30), min_size=1, max_size=20, unique=True).map(sorted)
    return Sales(tuple((DAY + pd.Timedelta(days=day), shop, draw(units)) for shop in shops for day in draw(days)))


@st.composite
def ways(draw: st.DrawFn) -> Written:
    decimal = draw(st.sampled_from([".", ","]))
    keys = {
        "delimiter": draw(st.sampled_from([";", "\t", "|", ","])),
        "decimal": decimal,
        "thousands": draw(st.sampled_from([sign for sign in (None, ".", ",", " ") if sign != decimal])),
        "encoding": draw(st.sampled_from(["utf-8", "cp1252", "utf-16"])),
        "date_format": draw(st.sampled_from(["iso", "%d/%m/%Y", "%d.%m.%y", "yyyymmdd", "%d/%b/%Y"])),
    }
    return Written(keys, draw(st.sampled_from(["\n", "\r\n"])))


def panel(spec: Dataset, folder: Path) -> pd.DataFrame:
    rows = load_history(spec, folder)
    assert rows.bad.empty, rows.bad.to_string()
    frequency = parse_frequency("D")
    grid = period_grid(rows.frame["ds"], frequency)
    return build_panel(rows, None, grid, Layout(frequency, 40, 7), row_rules(spec, 40)).frame


@given(sparse_sales(), ways(), st.sampled_from(["unknown", "zero"]))
def test_a_long_table_that_is_written_wide_is_the_same_panel(table: Sales, written: Written, missing: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "long.csv").write_bytes(csv_bytes(table, written))
        (folder / "wide.csv").write_bytes(wide_csv_bytes(table, written))
        long = panel(dataset("long.csv", written.keys, missing=missing), folder)
        wide = panel(dataset("wide.csv", {**written.keys, "layout": "wide"}, missing=missing), folder)
    pd.testing.assert_frame_equal(wide, long)


@given(sparse_sales(), st.booleans())
def test_a_wide_workbook_and_a_wide_parquet_file_are_the_same_panel(table: Sales, typed: bool) -> None:
    import openpyxl

    header, *lines = wide_cells(table, Written())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "long.csv").write_bytes(csv_bytes(table, Written()))
        book, target = openpyxl.Workbook(), io.BytesIO()
        days = [pd.Timestamp(day).to_pydatetime() for day in header[1:]] if typed else header[1:]
        book.active.append([header[0], *days])
        for line in lines:
            book.active.append([line[0], *((float(cell) if cell else None) if typed else cell for cell in line[1:])])
        book.save(target)
        (folder / "wide.xlsx").write_bytes(target.getvalue())
        frame = pd.DataFrame(lines, columns=header)
        numbers = frame[header[1:]].apply(pd.to_numeric) if typed else frame[header[1:]]
        pd.concat([frame[["loja"]], numbers], axis=1).to_parquet(folder / "wide.parquet")
        long = panel(dataset("long.csv", {}), folder)
        for file in ("wide.xlsx", "wide.parquet"):
            pd.testing.assert_frame_equal(panel(dataset(file, {"layout": "wide"}), folder), long)


def written(tmp_path: Path, text: str, **files: str) -> Path:
    for name, content in {"wide": text, **files}.items():
        (tmp_path / f"{name}.csv").write_text(content)
    return tmp_path


WIDE: dict[str, Any] = {"layout": "wide", "date_format": "%b/%y", "delimiter": ";"}


def test_a_cell_that_cannot_be_read_is_named_by_its_row_and_its_column(tmp_path: Path) -> None:
    written(tmp_path, "loja;jan/24;fev/24\nA;1;2\nB;3;n/d\n")
    rows = load_history(dataset("wide.csv", WIDE), tmp_path)
    assert rows.bad.to_dict("records") == [
        {
            "file": "wide.csv",
            "row": 3,
            "column": "fev/24",
            "value": "n/d",
            "problem": "is not a number: leave the cell empty where nobody knows the value",
        }
    ]
    assert len(rows.frame) == 3


def test_files_of_different_years_are_one_table(tmp_path: Path) -> None:
    written(tmp_path, "loja;jan/23;fev/23\nA;1;2\n", wide2="loja;jan/24\nB;n/d\nA;1.5\n")
    rows = load_history(dataset("wide*.csv", WIDE), tmp_path)
    assert rows.bad[["file", "row", "column"]].values.tolist() == [["wide2.csv", 2, "jan/24"]]
    assert rows.frame[["unique_id", "ds", "y"]].astype(str).values.tolist() == [
        ["A", "2023-01-01", "1.0"], ["A", "2023-02-01", "2.0"], ["A", "2024-01-01", "1.5"],
    ]  # fmt: skip


def test_a_line_without_a_value_in_several_files_is_a_series_that_is_known(tmp_path: Path) -> None:
    written(tmp_path, "loja;jan/23;fev/23\nA;1;2\nB;;\nC;;\n", wide2="loja;jan/24\nA;\nB;\nC;3\n")
    rows = load_history(dataset("wide*.csv", WIDE), tmp_path)
    assert rows.frame[["unique_id", "ds", "y"]].astype(str).values.tolist() == [
        ["A", "2023-01-01", "1.0"], ["A", "2023-02-01", "2.0"], ["B", "2023-01-01", "nan"], ["C", "2024-01-01", "3.0"],
    ]  # fmt: skip


def test_files_of_which_one_has_numbers_as_text_are_one_table(tmp_path: Path) -> None:
    pd.DataFrame({"loja": ["A"], "2024-01-01": [1.5]}).to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"loja": ["A"], "2024-01-02": ["2.5"]}).to_parquet(tmp_path / "b.parquet")
    rows = load_history(dataset("*.parquet", {"layout": "wide"}), tmp_path)
    assert rows.frame["y"].tolist() == [1.5, 2.5]


def test_a_line_without_a_value_is_a_series_that_is_known_and_an_empty_line_is_none(tmp_path: Path) -> None:
    written(tmp_path, "loja;jan/24;fev/24\nA;1;2\nB;;NA\n;;\n")
    rows = load_history(dataset("wide.csv", WIDE), tmp_path)
    assert rows.bad.empty
    assert rows.frame[["unique_id", "y"]].astype(str).values.tolist() == [["A", "1.0"], ["A", "2.0"], ["B", "nan"]]


@pytest.mark.parametrize(("header", "says", "hint"), [
    ("loja;vendas", "no column of 'wide.csv' is named as a period in the form %b/%y", "its columns are loja, vendas"),
    ("loja;jan/24;fevv/24;mar/24", "the column 'fevv/24' of 'wide.csv' stands between periods", "correct its name"),
    ("loja;vendas;jan/24", "has a column 'vendas', and dataset.source.layout says", "names that the file does not have"),
    ("filial;jan/24", "has no column 'loja'", "filial"),
    ("loja;jan/24;jan/24", "more than one column 'jan/24'", "rename one"),
    ("loja;jam/24;fev/24;mar/24", "the column 'jam/24' of 'wide.csv' is not named as a period", "correct its name"),
    ("loja;fev/24;mar/24;arb/24", "others are, from 'fev/24' to 'mar/24'", "correct its name"),
    ("loja;fev/24;mar/24;abr/2O", "the column 'abr/2O' of", "correct its name"),
])  # fmt: skip
def test_a_header_that_does_not_fit_is_answered_in_words(tmp_path: Path, header: str, says: str, hint: str) -> None:
    written(tmp_path, f"{header}\n{';'.join('1' for _ in header.split(';'))}\n")
    spec = dataset("wide.csv", {**WIDE, "date_format": "%b/%y"}, target="vendas")
    if "vendas" in header and "jan" not in header:
        spec = dataset("wide.csv", WIDE, target="unidades")
    with pytest.raises(DataError) as raised:
        load_history(spec, tmp_path)
    assert says in raised.value.message
    assert hint in str(raised.value.hint)


FORMS = {"iso": "%Y-%m", "%m/%Y": "%m/%Y", "%b/%y": "%b/%y", "%b-%Y": "%b-%Y", "yyyymm": "%Y%m", "%d.%m.%y": "%d.%m.%y"}


@pytest.mark.parametrize("place", [0, -1])
@pytest.mark.parametrize(
    ("form", "slip"),
    [
        ("iso", lambda name: name.replace("-", "/")), ("iso", lambda name: name[:-1]), ("iso", lambda name: f"{name[:-2]}13"),
        ("iso", lambda name: name.replace("0", "O")), ("%m/%Y", lambda name: name.replace("0", "o")),
        ("%b/%y", lambda name: name[0] + name[2:]), ("%b/%y", lambda name: name[0] + name),
        ("%b/%y", lambda name: name[1] + name[0] + name[2:]), ("yyyymm", lambda name: f"{name[:-2]}00"),
        ("%b-%Y", lambda name: f" {name.replace('0', 'O')}"), ("%d.%m.%y", lambda name: f"32{name[2:]}"),
    ],
)  # fmt: skip
def test_a_misspelt_period_at_an_end_is_no_other_column(
    tmp_path: Path, form: str, slip: Callable[[str], str], place: int
) -> None:
    """Its values would be lost without a word. `init` and a spec say the same."""
    names = [f"{day:{FORMS[form]}}" for day in pd.date_range("2023-01-01", "2024-12-01", freq="MS")]
    names[place] = slip(names[place])
    lines = [";".join([shop, *("5" for _ in names), "120"]) for shop in "AB"]
    written(tmp_path, "\n".join([";".join(["loja", *names, "Total 2024"]), *lines, ""]))
    says = f"the column '{names[place]}' of 'wide.csv' is not named as a period"
    with pytest.raises(DataError, match=re.escape(says)):
        load_history(dataset("wide.csv", {**WIDE, "date_format": form}), tmp_path)
    with pytest.raises(DataError, match=re.escape(says)):
        profile_file(tmp_path / "wide.csv", {}, None, {})


@pytest.mark.parametrize(
    "name", ["SKU-01", "2024 total", "Total2024", "ytd/24", "24%", "sum/24", "Q1", "n° 2", "A1", "2024"]
)
@pytest.mark.parametrize("form", FORMS)
def test_a_column_that_is_not_like_a_period_may_stand_beside_periods(tmp_path: Path, name: str, form: str) -> None:
    names = [f"{day:{FORMS[form]}}" for day in pd.date_range("2023-01-01", "2024-12-01", freq="MS")]
    written(tmp_path, f"{name};loja;{';'.join(names)}\n5;A;{';'.join('7' for _ in names)}\n")
    rows = load_history(dataset("wide.csv", {**WIDE, "date_format": form}), tmp_path)
    assert len(rows.frame) == len(names)


def test_a_rehearsal_writes_a_wide_table_as_rows(tmp_path: Path) -> None:
    written(tmp_path, "loja;01/01/2024;02/01/2024\nA;1,5;2,5\n")
    keys = {"layout": "wide", "date_format": "%d/%m/%Y", "delimiter": ";", "decimal": ","}
    replay = load_replay(dataset("wide.csv", keys), tmp_path)
    assert replay.rows.values.tolist() == [["A", "2024-01-01T00:00:00", "1.5"], ["A", "2024-01-02T00:00:00", "2.5"]]


@pytest.mark.parametrize(("names", "form", "frequency"), [
    (["jan/24", "fev/24", "mar/24", "abr/24", "mai/24", "jun/24", "jul/24", "ago/24"], "%b/%y", "MS"),
    (["2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06", "2024-07", "2024-08"], "iso", "MS"),
    (["01/2024", "02/2024", "03/2024", "04/2024", "05/2024", "06/2024", "07/2024", "08/2024"], "%m/%Y", "MS"),
    ([f"2024-01-{day:02}" for day in range(7, 29, 7)] + ["2024-02-04", "2024-02-11", "2024-02-18"], "iso", "W-SUN"),
    ([f"2024-W{week:02}" for week in range(5, 14)], "iso-week", "W-MON"),
    (["202401", "202402", "202403", "202404", "202405", "202406", "202407", "202408"], "yyyymm", "MS"),
    (["T1 2022", "T2 2022", "T3 2022", "T4 2022", "T1 2023", "T2 2023", "T3 2023", "T4 2023"], "quarter", "QS"),
    ([f"{day:02}/01/2024" for day in range(10, 24)], "%d/%m/%Y", "D"),
])  # fmt: skip
def test_init_recognises_a_wide_file(tmp_path: Path, names: list[str], form: str, frequency: str) -> None:
    header = ";".join(["loja", "produto", *names, "Total"])
    lines = [f"{shop};{item};{';'.join(str(n * 3 % 7) for n in range(len(names)))};9" for shop in "AB" for item in "xy"]
    profile = profile_file(written(tmp_path, "\n".join([header, *lines, ""])) / "wide.csv", {}, None, {})
    found = {key: value for key, value, _ in profile.source_keys}
    assert (found["layout"], found.get("date_format", "iso")) == ("wide", form)
    assert (profile.time, profile.series, profile.target) == ("period", ("loja", "produto"), "value")
    assert profile.frequency == frequency
    assert profile.left_out["Total"] == "stands behind the columns of periods"


def test_the_caller_names_the_columns_that_a_wide_file_does_not_have(tmp_path: Path) -> None:
    text = "loja;period;jan/24;fev/24;mar/24;abr/24;mai/24\nA;x;1;2;3;4;5\nB;y;2;3;4;5;6\n"
    path = written(tmp_path, text) / "wide.csv"
    profile = profile_file(path, {"target": "vendas"}, ("loja",), {})
    assert (profile.time, profile.target) == ("period_", "vendas")


def test_two_columns_of_dates_make_no_wide_file(tmp_path: Path) -> None:
    rows = [f"A,2024-01-{day:02},{day}" for day in range(1, 29)]
    path = written(tmp_path, "\n".join(["2023,2024-01-01,2024-01-02", *rows, ""])) / "wide.csv"
    profile = profile_file(path, {"target": "2024-01-02"}, ("2023",), {})
    assert "layout" not in {key for key, _, _ in profile.source_keys}


def test_an_empty_line_of_a_table_of_one_series_is_no_row(tmp_path: Path) -> None:
    written(tmp_path, "jan/24;fev/24\n1;2\n;\n")
    rows = load_history(dataset("wide.csv", WIDE, series=()), tmp_path)
    assert rows.frame[["ds", "y"]].astype(str).values.tolist() == [["2024-01-01", "1.0"], ["2024-02-01", "2.0"]]


def test_a_rehearsal_writes_amounts_of_money_as_numbers(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("data,loja,vendas\n2024-01-01,A,$ 1.5\n2024-01-02,A,$ 2.5-\n")
    replay = load_replay(dataset("v.csv", {"currency": "$"}), tmp_path)
    assert replay.rows["vendas"].tolist() == ["1.5", "-2.5"]
    higher = replay.rows_until(replay.periods[-1], shift_from=replay.periods[0], factor=2.0)
    assert higher["vendas"].tolist() == ["3.0", "-5.0"]


@pytest.mark.parametrize("names", [
    ["01/2024", "02/2024", "03/2024", "04/2024"], [2021, 2022, 2023, 2024], [pd.Timestamp(2024, n, 1) for n in range(1, 5)],
])  # fmt: skip
def test_titles_may_stand_above_a_wide_table(tmp_path: Path, names: list[Any]) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    lines = [[shop, *(place * 3 % 7 for place in range(len(names)))] for shop in "ABC"]
    for line in (["Relatório"], [], ["loja", *names], *lines):
        book.active.append([cell.to_pydatetime() if isinstance(cell, pd.Timestamp) else cell for cell in line])
    book.save(tmp_path / "wide.xlsx")
    header = ";".join(
        ["loja", *(f"{name:%Y-%m-%d}" if isinstance(name, pd.Timestamp) else str(name) for name in names)]
    )
    text = "\n".join(["Relatório", "", header, *(";".join(map(str, line)) for line in lines), ""])
    written(tmp_path, text)
    for file in ("wide.xlsx", "wide.csv"):
        profile = profile_file(tmp_path / file, {}, None, {})
        found = {key: value for key, value, _ in profile.source_keys}
        assert (found["header_row"], found["layout"], profile.series) == (3, "wide", ("loja",)), file


def test_init_looks_at_as_many_rows_of_a_wide_file_as_of_a_long_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlspec.jobs.profile._MOST_ROWS", 20)
    header = "loja;" + ";".join(f"2024-01-{day:02}" for day in range(1, 9))
    path = written(tmp_path, "\n".join([header, *(f"{shop};1;2;3;4;5;6;7;8" for shop in "ABCDEF"), ""])) / "wide.csv"
    assert len(profile_file(path, {}, None, {}).sample.table) == 2 * 8
