"""However one table is written, the same rows are read; and a cell that cannot be read is named by row, value and reason."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import DataError
from mlspec.forecast.load import load_history
from mlspec.forecast.reading.column import as_text, texts_as_column
from mlspec.forecast.reading.dialect import Dialect
from mlspec.forecast.reading.evidence import DATE_FORMS, DIGIT_FORMS
from mlspec.forecast.reading.form_marks import possible_forms
from mlspec.forecast.reading.numbers import parse_numbers
from mlspec.forecast.reading.texts import covariate_kind, parse_covariate, static_kind
from mlspec.forecast.reading.times import example_of, parse_times, read_times
from mlspec.jobs.profile import profile_file
from tests.forecast.layouts import (
    HEADER,
    Sales,
    Written,
    csv_bytes,
    dataset,
    excel_bytes,
    mixed_excel_bytes,
    write_partitions,
)
from tests.hostile import require_own_error

DAY = pd.Timestamp("2024-01-01")
# Names that may stand in every encoding that is tried, with the signs that separate fields.
SHOPS = st.text("aZ09 ãçéÀ;,.|\t'\"/-\\", min_size=1, max_size=6).filter(lambda name: name.strip() == name)


ANY_BYTES = st.binary(max_size=200) | st.text("0123456789,.;-/\n\"' dataloven\u00e7", max_size=300).map(str.encode)


@st.composite
def sales(draw: st.DrawFn) -> Sales:
    shops = draw(st.lists(SHOPS, min_size=1, max_size=3, unique=True))
    units = st.none() | st.integers(-(10**9), 10**9).map(lambda cents: cents / 100)
    days = draw(st.integers(1, 40))
    return Sales(tuple((DAY + pd.Timedelta(days=day), shop, draw(units)) for shop in shops for day in range(days)))


@st.composite
def ways(draw: st.DrawFn) -> Written:
    decimal = draw(st.sampled_from([".", ","]))
    thousands = draw(st.sampled_from([sign for sign in (None, ".", ",", " ", "'") if sign != decimal]))
    keys = {
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|"])),
        "quote": draw(st.sampled_from(['"', "'"])),
        "decimal": decimal,
        "thousands": thousands,
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "iso-8859-1", "utf-16", "cp850"])),
        "date_format": draw(st.sampled_from(["iso", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "yyyymmdd", "%d/%b/%Y"])),
        "compression": draw(st.sampled_from([None, "gzip", "zstd"])),
    }
    order = tuple(draw(st.permutations(HEADER)))
    return Written(keys, draw(st.sampled_from(["\n", "\r\n"])), draw(st.booleans()), order)


def read(name: str, data: bytes, keys: dict[str, Any]) -> pd.DataFrame:
    """Write a file and read it as a spec with these keys does. The rows with their numbers in the file."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        rows = load_history(dataset(name, keys), Path(folder))
    assert rows.bad.empty, rows.bad.to_string()
    return rows.frame[["unique_id", "ds", "y", "row"]]


def expected(table: Sales, first_row: int = 2) -> pd.DataFrame:
    frame = pd.DataFrame(table.rows, columns=["ds", "unique_id", "y"])
    frame["row"] = range(first_row, len(frame) + first_row)
    return frame.astype({"y": "float64", "ds": "datetime64[ns]"})[["unique_id", "ds", "y", "row"]]


@given(sales(), ways())
def test_a_table_is_the_same_in_every_dialect(table: Sales, written: Written) -> None:
    found = read("vendas.txt", csv_bytes(table, written), {"format": "csv", **written.keys})
    pd.testing.assert_frame_equal(found, expected(table))


@given(sales(), st.sampled_from(["iso", "%d/%m/%Y"]), st.sampled_from([".", ","]), st.booleans())
def test_a_table_is_the_same_in_a_workbook(table: Sales, form: str, decimal: str, typed: bool) -> None:
    keys = {"sheet": "Plan1", "date_format": form, "decimal": decimal}
    found = read("vendas.xlsx", excel_bytes(table, Written(keys), typed=typed), keys)
    pd.testing.assert_frame_equal(found, expected(table))


@given(sales())
def test_a_table_is_the_same_in_a_partitioned_folder(table: Sales) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_partitions(table, Path(folder) / "vendas")
        found = load_history(dataset("vendas", {"format": "parquet"}), Path(folder)).frame
    wanted = expected(table).sort_values(["unique_id", "ds"], ignore_index=True)
    found = found.sort_values(["unique_id", "ds"], ignore_index=True)
    pd.testing.assert_frame_equal(found[["unique_id", "ds", "y"]], wanted[["unique_id", "ds", "y"]])


@given(sales(), ways(), st.integers(0, 10**6))
def test_one_bad_cell_is_named_and_changes_no_other(table: Sales, written: Written, place: int) -> None:
    """Where all numbers can be read they are parsed at once; where one cannot, the others are the same."""
    row = place % len(table.rows)
    day, shop, _ = table.rows[row]
    marked = Sales((*table.rows[:row], (day, shop, 123456.0), *table.rows[row + 1 :]))
    shown = "123456" if written.keys["thousands"] is None else f"123{written.keys['thousands']}456"
    text = csv_bytes(
        marked, Written({**written.keys, "compression": None}, written.line_end, written.quoted, written.order)
    )
    encoding = written.keys["encoding"]
    plain = "utf-16-le" if encoding == "utf-16" else "utf-8" if encoding == "utf-8-sig" else encoding
    wanted = (shown + written.keys["decimal"] + "00").encode(plain)
    if text.count(wanted) != 1:
        return  # the table has this number already
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "v.txt").write_bytes(text.replace(wanted, "n/d".encode(plain)))
        rows = load_history(dataset("v.txt", {"format": "csv", **written.keys, "compression": None}), Path(folder))
    (bad,) = rows.bad.to_dict("records")
    assert (bad["row"], bad["column"], bad["value"]) == (row + 2, "vendas", "n/d")
    assert bad["problem"].startswith("is not a number")
    pd.testing.assert_frame_equal(
        rows.frame[["unique_id", "ds", "y", "row"]], expected(marked).drop(index=row).reset_index(drop=True)
    )


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "value"),
    [
        ("1.234,56", ",", ".", 1234.56), ("-1.234.567", ",", ".", -1234567), ("1234,5", ",", ".", 1234.5), ("0,5", ",", ".", 0.5),
        ("1 234,5", ",", " ", 1234.5), ("1\u00a0234,5", ",", " ", 1234.5), ("1\u202f234", ".", " ", 1234),
        ("1'234.5", ".", "'", 1234.5), ("1\u2019234.5", ".", "'", 1234.5), ("1,234.5", ".", ",", 1234.5),
        ("+7", ".", None, 7), (".5", ".", None, 0.5),
        ("5.", ".", None, 5), ("1e3", ".", None, 1000), (" 5 ", ".", None, 5), ("1,5E2", ",", None, 150),
        ("(1.234,5)", ",", ".", -1234.5), ("1.234,5-", ",", ".", -1234.5), ("\u22121,5", ",", None, -1.5),
        ("(-5)", ".", None, None), ("-5-", ".", None, None), ("(n/d)", ".", None, None), ("-", ".", None, None),
        ("12.34", ",", ".", None), ("1.2345", ",", ".", None), ("0.500", ",", ".", None), ("1234.567", ",", ".", None),
        ("1.234.56", ",", ".", None), ("1,5", ".", None, None), ("1_000", ".", None, None), ("0x10", ".", None, None),
        ("٣", ".", None, None), ("inf", ".", None, None), ("1e400", ".", None, None), ("true", ".", None, None),
    ],
)  # fmt: skip
def test_a_number_is_read_in_one_notation_and_no_other(
    text: str, decimal: str, thousands: str | None, value: float | None
) -> None:
    parsed = parse_numbers(texts_as_column([text]), Dialect(decimal=decimal, thousands=thousands))
    assert parsed.problems.empty == (value is not None)
    if value is not None:
        assert parsed.values[0] == value


@pytest.mark.parametrize(
    ("text", "currency", "value"),
    [
        ("R$ 1.234,56", "R$", 1234.56), ("R$1,5", "R$", 1.5), (" R$\u00a01,5 ", "R$", 1.5), ("-R$ 5", "R$", -5),
        ("R$ -5", "R$", -5),
        ("(R$ 5)", "R$", -5), ("1,5 €", "€", 1.5), ("1,5€-", "€", -1.5), ("7", "R$", 7), ("US$ 5", "R$", None), ("5 €", "R$", None),
        ("R$ 5", "$", None), ("R$", "R$", None), ("R$ -", "R$", None), ("R$ 5", None, None),
    ],
)  # fmt: skip
def test_an_amount_of_money_is_a_number_in_its_currency_and_in_no_other(
    text: str, currency: str | None, value: float | None
) -> None:
    parsed = parse_numbers(texts_as_column([text]), Dialect(decimal=",", thousands=".", currency=currency))
    assert (None if parsed.values.isna()[0] else parsed.values[0]) == value
    assert parsed.problems.empty == (value is not None)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("R$ 5", 'currency: "R$"'), ("#DIV/0!", "error of a formula"), ("-", "write 0, or leave the cell empty"),
        ("12,5%", "percentage"),
        ("5 kg", "'kg' behind it"), ("Total geral", "remove this row"), ("n/d", "leave the cell empty"),
    ],
)  # fmt: skip
def test_a_cell_that_is_no_number_is_answered_with_what_to_do(text: str, says: str) -> None:
    (problem,) = parse_numbers(texts_as_column([text]), Dialect(decimal=",")).problems
    assert says in problem


def test_a_number_in_another_notation_is_answered_with_the_key_to_write() -> None:
    (problem,) = parse_numbers(texts_as_column(["1.234,56"]), Dialect()).problems
    assert 'decimal: ","' in problem
    assert 'thousands: "."' in problem


@pytest.mark.parametrize(
    ("form", "text", "day"),
    [
        ("iso", "2024-02-01", "2024-02-01"), ("iso", "2024-02", "2024-02-01"), ("iso", "2024-02-01T10:00", "2024-02-01 10:00"),
        ("iso", "2024-02-01T10:00:00+03:00", "2024-02-01 07:00"),
        ("iso", "2024-02-01 10:00:00.123456789", "2024-02-01 10:00:00.123456789"),
        ("iso", "2024-02-01 10:00:00 UTC", "2024-02-01 10:00"), ("iso", "2024-02-01 UTC", None),
        ("%Y-%m-%d", "2024-2-1", "2024-02-01"), ("%Y-%m", "2024-2", "2024-02-01"), ("iso-week", "2024W5", "2024-01-29"),
        ("%YM%m", "2024M02", "2024-02-01"), ("%YM%m", "2024m2", "2024-02-01"), ("%d%b%Y", "01FEB2024", "2024-02-01"),
        ("%b %Y", "février 2024", "2024-02-01"), ("%b %Y", "févr. 2024", "2024-02-01"), ("%b %Y", "März 2024", "2024-03-01"),
        ("%b %Y", "Dezember 2024", "2024-12-01"), ("%a, %b %d, %Y", "Thursday, February 1, 2024", "2024-02-01"),
        ("iso", "20240201", None), ("iso", "01/02/2024", None), ("iso", "2024-02-30", None), ("iso", "24-02-01", None),
        ("iso-week", "2024-W05", "2024-01-29"), ("iso-week", "2024W05", "2024-01-29"), ("iso-week", "2020-W53", "2020-12-28"),
        ("iso-week", "2024-W53", None), ("iso-week", "2024-W00", None), ("iso-week", "2024-05", None),
        ("yyyymm", "202402", "2024-02-01"), ("yyyymm", "202413", None), ("yyyymm", "20240201", None),
        ("yyyymmdd", "20240201", "2024-02-01"), ("yyyymmdd", "20240230", None), ("yyyymmdd", "202402", None),
        ("quarter", "2024Q2", "2024-04-01"), ("quarter", "2024-Q2", "2024-04-01"), ("quarter", "Q2 2024", "2024-04-01"),
        ("quarter", "2T2024", "2024-04-01"), ("quarter", "2024Q5", None), ("quarter", "2º tri 2024", "2024-04-01"),
        ("quarter", "2T24", "2024-04-01"), ("iso-week", "2024-S05", "2024-01-29"), ("iso-week", "KW05/2024", "2024-01-29"),
        ("iso-week", "05/2024", None), ("excel", "45323", "2024-02-01"), ("excel", "45323,5", "2024-02-01 12:00"),
        ("excel", "1", None), ("epoch", "1706745600", "2024-02-01"), ("epoch-ms", "1706745600000", "2024-02-01"),
        ("epoch", "1706745600000", None), ("%d/%b/%Y", "01/fev./2024", "2024-02-01"), ("%d.%b.%Y", "01.fev.2024", "2024-02-01"),
        ("%a, %d de %b de %Y", "quinta-feira, 1 de fevereiro de 2024", "2024-02-01"),
        ("%a %d/%m/%Y", "sáb 03/02/2024", "2024-02-03"),
        ("%m/%d/%Y %I:%M %p", "2/1/2024 12:00 AM", "2024-02-01"), ("quarter", "22024", None),
        ("%d/%m/%Y", "13/02/2024", "2024-02-13"), ("%d/%m/%Y", "02/13/2024", None), ("%d/%m/%Y", "2024-02-13", None),
        ("%m/%Y", "02/2024", "2024-02-01"), ("%b/%Y", "fev/2024", "2024-02-01"),
        ("%d de %B de %Y", "1 de março de 2024", "2024-03-01"),
        ("%b-%y", "Dez-23", "2023-12-01"), ("%Y", "2024", "2024-01-01"),
    ],
)  # fmt: skip
def test_a_date_is_read_in_one_form_and_no_other(form: str, text: str, day: str | None) -> None:
    parsed = parse_times(texts_as_column([text]), Dialect(date_format=form))
    assert parsed.problems.empty == (day is not None)
    if day is not None:
        assert parsed.values[0] == pd.Timestamp(day)


def test_no_form_that_reads_a_text_is_left_out_for_its_marks() -> None:
    """And most others are, which is what makes `init` quick."""
    forms = [*DATE_FORMS, *DIGIT_FORMS]
    texts = [example_of(form) for form in forms]
    texts += [text.upper() for text in texts] + [f" {text} " for text in texts]
    texts += [
        "segunda-feira, 05/02/2024", "Sex. 02.02.2024", "sáb, 03 de fev. de 2024", "jan./2024", "1-fev.-24", "12.März 2024",
        "1º tri 2024", "KW 5/2024", "2024-02-01 10:30 UTC", "01.02.2024 1:05 pm", "Loja 1", "São João", "1.050,00", "n/d", "",
    ]  # fmt: skip
    for form in forms:
        reads = read_times(pd.Series(texts, dtype=object), form).notna()
        assert [
            text for text, read in zip(texts, reads, strict=True) if read and not possible_forms([text], [form], 1)
        ] == []
    assert [form for form in possible_forms(["2024-02-01"], forms, 1) if form not in DIGIT_FORMS] == [
        "iso", "iso-week", "quarter", "%d-%m-%Y", "%m-%d-%Y", "%Y-%m-%d", "%d-%m-%y", "%m-%d-%y",
    ]  # fmt: skip
    assert possible_forms(["São João"], forms, 1) == []
    assert possible_forms(["01/02/2024", "n/d"], ["iso", "%m/%d/%Y"], 2) == []


def test_digits_of_a_typed_column_are_dates_where_the_spec_says_so(tmp_path: Path) -> None:
    pd.DataFrame({"data": [202401, 202402], "loja": ["a", "a"], "vendas": [1, 2]}).to_parquet(tmp_path / "v.parquet")
    rows = load_history(dataset("v.parquet", {"date_format": "yyyymm"}), tmp_path)
    assert list(rows.frame["ds"]) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-02-01")]
    (bad, _) = load_history(dataset("v.parquet", {}), tmp_path).bad["problem"]
    assert "dataset.source.date_format" in bad


def test_files_of_which_one_has_a_bad_cell_are_read_in_one_notation(tmp_path: Path) -> None:
    keys = {"decimal": ",", "delimiter": ";"}
    (tmp_path / "a.csv").write_text("data;loja;vendas\n2024-01-01;a;1,5\n")
    (tmp_path / "b.csv").write_text("data;loja;vendas\n2024-01-02;a;x\n2024-01-03;a;2,5\n")
    rows = load_history(dataset("*.csv", keys), tmp_path)
    assert list(rows.frame["y"]) == [1.5, 2.5]
    assert [(row["file"], row["row"]) for row in rows.bad.to_dict("records")] == [("b.csv", 2)]


def test_a_plan_is_written_as_its_source_unless_it_says_otherwise(tmp_path: Path) -> None:
    from mlspec.forecast.load import load_future

    keys = {"decimal": ",", "thousands": ".", "delimiter": ";", "date_format": "%d/%m/%Y"}
    (tmp_path / "v.csv").write_text("data;loja;vendas;preço\n01/02/2024;a;1.000,5;1,5\n")
    (tmp_path / "p.csv").write_text("data;preço\n02/02/2024;1,25\n")
    (tmp_path / "q.csv").write_text("data,preço\n2024-02-02,1.25\n")
    parts = {"covariates": {"known": ["preço"]}}
    for future in ({"uri": "p.csv"}, {"uri": "q.csv", "decimal": ".", "delimiter": ",", "date_format": "iso"}):
        spec = dataset("v.csv", keys, **parts, future=future)
        rows = load_history(spec, tmp_path)
        plan = load_future(spec, tmp_path, rows.kinds)
        assert plan is not None
        assert plan.bad.empty
        assert list(plan.frame["x_preço"]) == [1.25]
        assert list(plan.frame["ds"]) == [pd.Timestamp("2024-02-02")]


@pytest.mark.parametrize(
    ("name", "data", "keys", "says", "expected"),
    [
        ("v.csv.gz", b"data,loja,vendas\n", {}, "cannot be read", "a whole file packed with gzip, of text"),
        ("v.csv.zst", b"data,loja,vendas\n", {}, "cannot be read", "a whole file packed with zstd, of text"),
        ("v.xlsx", b"PK no workbook", {}, "no workbook", "save it again as xlsx"),
        ("v.csv", "data,loja,vendas\n2024-01-01,São,1\n".encode("cp1252"), {}, "row 2", "encoding"),
        ("v.csv", b"data,loja,vendas\n2024-01-01,S\x81o,1\n", {"encoding": "cp1252"}, "row 2", "encoding"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_as_the_spec_says_is_answered_in_words(
    tmp_path: Path, name: str, data: bytes, keys: dict[str, Any], says: str, expected: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=says) as caught:
        load_history(dataset(name, keys), tmp_path)
    assert expected in caught.value.hint


def test_a_line_that_declares_the_delimiter_is_none_of_the_table(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_bytes(
        b"sep=;\r\ndata;loja;vendas\r\n2024-01-01;a;1\r\n2024-01-02;a;x\r\n2024-01-03;a\r\n"
    )
    rows = load_history(dataset("v.csv", {"delimiter": ";"}), tmp_path)
    assert list(rows.frame["row"]) == [3]
    assert [(bad["row"], bad["value"]) for bad in rows.bad.to_dict("records")] == [(4, "x"), (5, "2024-01-03;a")]


@given(sales(), ways(), st.integers(1, 6))
def test_titles_above_the_header_are_none_of_the_table(table: Sales, written: Written, titles: int) -> None:
    keys = {**written.keys, "compression": None}
    text = csv_bytes(table, Written(keys, written.line_end, written.quoted, written.order))
    above = (
        written.line_end.join(["Sales report", "", "of 2024"][place % 3] for place in range(titles)) + written.line_end
    )
    encoding = keys["encoding"]
    mark, plain = {"utf-16": (b"\xff\xfe", "utf-16-le"), "utf-8-sig": (b"\xef\xbb\xbf", "utf-8")}.get(
        encoding, (b"", encoding)
    )
    found = read(
        "v.txt",
        mark + above.encode(plain) + text.removeprefix(mark),
        {"format": "csv", **keys, "header_row": titles + 1},
    )
    pd.testing.assert_frame_equal(found, expected(table, titles + 2))


def test_rows_that_end_in_a_sign_between_fields_which_the_header_lacks_are_read(tmp_path: Path) -> None:
    rows = "2024-01-01;a;1;\n2024-01-02;a;x;\n2024-01-03;a;3\n2024-01-04;a;4;\n"
    (tmp_path / "v.csv").write_text(f"data;loja;vendas\n{rows}")
    found = load_history(dataset("v.csv", {"delimiter": ";"}), tmp_path)
    assert found.frame[["row", "y"]].to_numpy().tolist() == [[2, 1], [5, 4]]
    assert [(bad["row"], bad["value"]) for bad in found.bad.to_dict("records")] == [(3, "x"), (4, "2024-01-03;a;3")]


@given(sales(), st.lists(st.booleans(), min_size=3, max_size=3))
def test_cells_of_a_sheet_may_be_texts_beside_numbers_and_dates(table: Sales, typed: list[bool]) -> None:
    """What a cell means does not hang on whether a program kept it as text."""
    keys = {"decimal": ",", "thousands": ".", "date_format": "%d/%m/%Y", "sheet": "Plan1"}
    data = mixed_excel_bytes(table, Written(keys), typed)
    pd.testing.assert_frame_equal(read("v.xlsx", data, keys), expected(table))


@pytest.mark.parametrize("suffix", ["xls", "ods"])
def test_a_workbook_of_another_program_is_read(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"v.{suffix}").write_bytes((Path(__file__).parent / "workbooks" / f"vendas.{suffix}").read_bytes())
    rows = load_history(dataset(f"v.{suffix}", {}), tmp_path)
    assert rows.bad.empty
    assert rows.frame["y"].tolist() == [10.5, 11.5, 12.5]
    assert rows.frame["ds"].tolist() == list(pd.date_range("2024-01-01", periods=3))


@pytest.mark.parametrize(
    ("members", "says"),
    [({"vendas.csv": "data,loja,vendas\n2024-01-01,a,1\n", "__MACOSX/._vendas.csv": "x"}, None),
     ({"a.csv": "x", "b.csv": "y"}, r"holds 2 files \(a.csv, b.csv\)"), ({}, "holds 0 files")],
)  # fmt: skip
def test_an_archive_of_one_file_is_that_file(tmp_path: Path, members: dict[str, str], says: str | None) -> None:
    with zipfile.ZipFile(tmp_path / "v.csv.zip", "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    if says is None:
        assert load_history(dataset("v.csv.zip", {}), tmp_path).frame["y"].tolist() == [1]
        return
    with pytest.raises(DataError, match=says):
        load_history(dataset("v.csv.zip", {}), tmp_path)


def test_a_small_archive_of_very_many_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    monkeypatch.setattr("mlspec.forecast.reading.budget.LARGEST_BYTES", 2**20)
    (tmp_path / "v.csv.gz").write_bytes(gzip.compress(b"data,loja,vendas\n" + b"2024-01-01,a,1\n" * 200_000))
    with pytest.raises(DataError, match=r"holds more than 1 MiB"):
        load_history(dataset("v.csv.gz", {}), tmp_path)


def test_a_sheet_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    table = Sales(((DAY, "a", 1.0),))
    (tmp_path / "v.xlsx").write_bytes(excel_bytes(table, Written(), typed=True))
    with pytest.raises(DataError, match="has no sheet 'Vendas'") as caught:
        load_history(dataset("v.xlsx", {"sheet": "Vendas"}), tmp_path)
    assert "Notas, Plan1" in str(caught.value.hint)


@given(ANY_BYTES, ways(), st.booleans())
def test_whatever_bytes_a_file_has_it_is_read_or_refused_in_words(data: bytes, written: Written, named: bool) -> None:
    encoding, delimiter = written.keys["encoding"], written.keys["delimiter"]
    data = f"{delimiter.join(written.order)}\n".encode(encoding) + data if named else data
    keys = {"format": "csv", **written.keys, "compression": None}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "v.txt").write_bytes(data)
        try:
            rows = load_history(dataset("v.txt", keys), Path(folder))
        except DataError as error:
            require_own_error(error)
        else:
            assert len(rows.frame) <= rows.count


@given(ANY_BYTES, st.sampled_from(("v.csv", "v.dat", "v.csv.gz", "v.xlsx", "v.parquet")))
def test_whatever_bytes_a_file_has_init_proposes_a_spec_or_says_why_not(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        try:
            profile_file(Path(folder) / name, {}, None, {})
        except DataError as error:
            require_own_error(error)


def test_a_space_before_a_date_says_nothing_of_an_offset(tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("data,loja,vendas\n2024-01-01,a,1\n 2024-01-02,a,2\n")
    rows = load_history(dataset("v.csv", {}), tmp_path)
    assert rows.bad.empty
    assert list(rows.frame["ds"]) == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02")]


def test_a_row_of_absent_values_and_empty_texts_is_no_row(tmp_path: Path) -> None:
    lines = {"data": ["2024-01-01", "", None], "loja": ["a", "", None], "vendas": ["1", "", None]}
    pd.DataFrame(lines).to_parquet(tmp_path / "v.parquet")
    rows = load_history(dataset("v.parquet", {}), tmp_path)
    assert (len(rows.frame), len(rows.bad)) == (1, 0)


@pytest.mark.parametrize(
    ("yes", "no"),
    [("TRUE", "FALSE"), ("VERDADEIRO", "FALSO"), ("Yes", "no"), ("sim", "Não"), ("SIM", "na\u0303o")],
)
def test_a_covariate_that_says_yes_or_no_is_one_or_zero(yes: str, no: str) -> None:
    column, other = as_text(pd.Series([yes, no, "", yes])), as_text(pd.Series([yes, no, "talvez", "7x", "nunca"]))
    dialect = Dialect()
    assert (covariate_kind(column, dialect), covariate_kind(other, dialect)) == ("flag", "category")
    assert parse_covariate(column, "flag", dialect).values.tolist()[:2] == [1.0, 0.0]
    assert static_kind(column, dialect) == ("flag" if yes == "TRUE" else "category")
    odd = parse_covariate(as_text(pd.Series([yes, no, "talvez"])), "flag", dialect).problems
    assert odd.tolist() == ["is neither true nor false, yes nor no, unlike the rest of the column"]
