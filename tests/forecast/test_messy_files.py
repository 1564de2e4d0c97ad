"""Files as people have them: `init` finds how each is written, or says what stands in the way. None is read as something else."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest

from mlspec.errors import DataError
from mlspec.forecast.profile import Profile
from mlspec.jobs.profile import profile_file

DAYS = pd.date_range("2024-01-01", periods=40)
SALES = [
    (day, shop, 900 + 7.25 * place + len(shop)) for shop in ("Centro", "São João") for place, day in enumerate(DAYS)
]
HEADER = ["Data", "Loja", "Vendas"]


def brazilian(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


def text(
    day: str | Callable[[pd.Timestamp], str] = "%d/%m/%Y", number: Callable[[float], str] = brazilian,
    header: str = ";".join(HEADER),
) -> str:  # fmt: skip
    write = day if callable(day) else lambda moment: moment.strftime(day)
    return "\n".join([header, *(f"{write(moment)};{shop};{number(units)}" for moment, shop, units in SALES), ""])


def book(fill: Callable[[Any], None]) -> bytes:
    workbook = openpyxl.Workbook()
    fill(workbook)
    target = io.BytesIO()
    workbook.save(target)
    return target.getvalue()


def fill_sheet(
    sheet: Any, *, above: int = 0, left: int = 0, loja: Callable[[int, str], str | None] | None = None
) -> None:
    for _ in range(above):
        sheet.append([])
    sheet.append([None] * left + HEADER)
    for place, (day, shop, units) in enumerate(SALES):
        sheet.append([None] * left + [day.to_pydatetime(), loja(place, shop) if loja else shop, units])


def profile(name: str, data: bytes, folder: Path) -> Profile:
    (folder / name).write_bytes(data)
    return profile_file(folder / name, {}, None, {})


BRAZIL = {"delimiter": ";", "decimal": ",", "thousands": ".", "date_format": "%d/%m/%Y"}
TITLES = "Relatório de vendas\nEmitido em 02/05/2024\n\n"


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ((TITLES + text()).encode(), {**BRAZIL, "header_row": 4}),
        (("Relatório;;\n;;\n" + text()).encode(), {**BRAZIL, "header_row": 3}),
        (("# exported\n" + text()).encode("utf-8-sig"), {**BRAZIL, "header_row": 2}),
        (("sep=;\nRelatório\n" + text()).encode(), {**BRAZIL, "header_row": 3}),
        (text(number=lambda value: f"R$ {brazilian(value)}").encode(), {**BRAZIL, "currency": "R$"}),
        (text(number=lambda value: f"{brazilian(value)} €").encode("cp1252"), {**BRAZIL, "currency": "€", "encoding": "cp1252"}),
        (text(number=lambda value: f"US$ {value:,.2f}").encode(),
         {**BRAZIL, "currency": "US$", "decimal": ".", "thousands": ","}),
        (text(number=lambda value: f"({brazilian(value)})").encode(), BRAZIL),
        (text(number=lambda value: f"{value:,.2f}".replace(",", "\u2019")).encode(), {**BRAZIL, "decimal": ".", "thousands": "'"}),
        (text(lambda day: str((day - pd.Timestamp("1899-12-30")).days)).encode(), {**BRAZIL, "date_format": "excel"}),
        (text(lambda day: str(int(day.timestamp()))).encode(), {**BRAZIL, "date_format": "epoch"}),
        (text("%m/%d/%Y 12:00 AM").encode(), {**BRAZIL, "date_format": "%m/%d/%Y %I:%M %p"}),
        (text(lambda day: f"{['seg', 'ter', 'qua', 'qui', 'sex', 'sáb', 'dom'][day.dayofweek]} {day:%d/%m/%Y}").encode(),
         {**BRAZIL, "date_format": "%a %d/%m/%Y"}),
        (text(lambda day: f"{day.year}-{day.month}-{day.day}").encode(), {**BRAZIL, "date_format": "%Y-%m-%d"}),
        (text(lambda day: f"{day:%d%b%Y}".upper()).encode(), {**BRAZIL, "date_format": "%d%b%Y"}),
        (text("%A, %B %d, %Y").encode(), {**BRAZIL, "date_format": "%a, %b %d, %Y"}),
        (text().encode("utf-16-le"), {**BRAZIL, "encoding": "utf-16-le"}),
        (text().encode("mac_roman"), {**BRAZIL, "encoding": "mac_roman"}),
        (text().replace("\n", ";\n").replace("Vendas;", "Vendas").encode(), BRAZIL),
        (re.sub("[^;\n]+", r"'\g<0>'", text()).encode(), {**BRAZIL, "quote": "'"}),
        (text(lambda day: f"'{day:%d/%m/%Y}'").replace("São João", "'São; João'").encode(), {**BRAZIL, "quote": "'"}),
        (text(header="^".join(HEADER)).replace(";", "^").encode(), {**BRAZIL, "delimiter": "^"}),
        (text().replace("São João", "SJ").replace(";", " ").encode(), {**BRAZIL, "delimiter": " "}),
    ],
    ids=["titles", "titles-padded", "comment", "sep-and-title", "reais", "euro", "dollar", "parentheses",
         "apostrophe", "excel-days", "epoch", "am-pm", "weekday", "unpadded", "sas", "english-weekday", "utf-16", "mac",
         "padded-rows",
         "single-quotes", "single-quotes-of-text", "carets", "spaces"],
)  # fmt: skip
def test_what_programs_write_is_found(data: bytes, keys: dict[str, Any], tmp_path: Path) -> None:
    found = profile("v.csv", data, tmp_path)
    default = {"decimal": ".", "thousands": None}
    wanted = {key: value for key, value in keys.items() if default.get(key, "") != value}
    assert {key: value for key, value, _ in found.source_keys} == wanted
    assert (found.time, found.series, found.target, found.frequency) == ("Data", ("Loja",), "Vendas", "D")
    assert not found.bad_cells


@pytest.mark.parametrize(
    ("fill", "keys"),
    [
        (lambda workbook: (workbook.active.append(["Vendas de 2024"]), fill_sheet(workbook.active, above=1)),
         {"sheet": "Sheet", "header_row": 3}),
        (lambda workbook: fill_sheet(workbook.active, above=2, left=2), {"sheet": "Sheet"}),
        (lambda workbook: (workbook.active.append(["Gerado por", "Ana"]), fill_sheet(workbook.create_sheet("Dados"))),
         {"sheet": "Dados"}),
    ],
    ids=["title", "empty-rows-and-columns", "cover"],
)  # fmt: skip
def test_the_table_of_a_workbook_is_found(fill: Callable[[Any], None], keys: dict[str, Any], tmp_path: Path) -> None:
    found = profile("v.xlsx", book(fill), tmp_path)
    assert {key: value for key, value, _ in found.source_keys} == keys
    assert (found.time, found.series, found.target) == ("Data", ("Loja",), "Vendas")


def test_formulas_without_results_are_told_how_to_get_them(tmp_path: Path) -> None:
    """As programs write them that compute nothing: the results come when a spreadsheet program saves the workbook."""

    def fill(workbook: Any) -> None:
        workbook.active.append(["data", "vendas"])
        for row, (day, _, _) in enumerate(SALES, 2):
            workbook.active.append([day.to_pydatetime(), f"=ROW(A{row})+1"])

    with pytest.raises(DataError) as refused:
        profile("vendas.xlsx", book(fill), tmp_path)
    assert "formulas" in refused.value.hint
    assert "save it" in refused.value.hint


@pytest.mark.parametrize("total", ["Total;;9.999,00", ";Total geral;9.999,00", "Fonte: ERP;;", "Subtotal Centro;;1,00"])
def test_a_row_below_the_table_changes_no_guess_and_is_named(total: str, tmp_path: Path) -> None:
    found = profile("v.csv", f"{text()}{total}\n".encode(), tmp_path)
    assert (found.series, found.target, found.rows) == (("Loja",), "Vendas", ())
    assert {cell.row for cell in found.bad_cells} == {len(SALES) + 2}


def test_a_series_that_is_named_as_a_total_is_told(tmp_path: Path) -> None:
    found = profile("v.csv", f"{text()}09/02/2024;Total geral;9.999,00\n".encode(), tmp_path)
    assert "'Total geral' in Loja is a sum of others" in found.reasons["series"]


def test_the_label_of_a_total_is_named_and_is_no_series(tmp_path: Path) -> None:
    found = profile("v.csv", f"{text()};Total geral;9.999,00\n".encode(), tmp_path)
    ((row, column, value, problem),) = [(cell.row, cell.column, cell.value, cell.problem) for cell in found.bad_cells]
    assert (row, column, value) == (len(SALES) + 2, "Loja", "Total geral")
    assert "remove this row" in problem
    assert "Total geral" not in found.reasons["series"]


def test_a_sum_below_a_wide_table_changes_no_guess_and_is_named_once(tmp_path: Path) -> None:
    months = ["jan/24", "fev/24", "mar/24", "abr/24", "mai/24", "jun/24", "jul/24", "ago/24"]
    lines = [f"{shop};{item};{';'.join(str(n * 3 % 7) for n in range(8))}" for shop in "AB" for item in "xy"]
    table = "\n".join([";".join(["loja", "produto", *months]), *lines, f"Total;;{';'.join(['99'] * 8)}", ""])
    found = profile("v.csv", table.encode(), tmp_path)
    assert (found.series, found.rows) == (("loja", "produto"), ())
    assert [(cell.row, cell.column, cell.value) for cell in found.bad_cells] == [(6, "loja", "Total")]


def test_subtotals_with_a_date_are_named_and_are_no_series(tmp_path: Path) -> None:
    rows = [
        line
        for day in DAYS
        for line in (f"{day:%Y-%m-%d};A;x;{day.day}", f"{day:%Y-%m-%d};A;y;7", f"{day:%Y-%m-%d};Subtotal A;;9")
    ]
    found = profile("v.csv", "\n".join(["data;loja;produto;vendas", *rows, ""]).encode(), tmp_path)
    assert (found.series, found.rows) == (("loja", "produto"), ())
    assert {(cell.column, cell.value) for cell in found.bad_cells} == {("loja", "Subtotal A")}
    assert len(found.bad_cells) == len(DAYS)


def test_a_shop_that_is_named_total_is_a_series_also_where_a_value_is_absent(tmp_path: Path) -> None:
    shops = text().replace("Centro", "Total").splitlines()
    shops[5] = f"{shops[5].rpartition(';')[0]};"
    found = profile("v.csv", "\n".join([*shops, ""]).encode(), tmp_path)
    assert found.series == ("Loja",)
    assert not found.bad_cells


def test_columns_that_are_left_out_of_the_spec_or_used_are_told(tmp_path: Path) -> None:
    lines = text().splitlines()
    rows = [f"{line};{'SP' if 'Centro' in line else 'RJ'};{place % 3}" for place, line in enumerate(lines[1:])]
    found = profile("v.csv", "\n".join([f"{lines[0]};estado_da_loja;preco", *rows, ""]).encode(), tmp_path)
    told = {key: (value, reason) for key, value, reason in found.guesses}
    assert told["past"][0] == "1 column"
    assert told["past"][1].startswith("preco: not used")


def test_what_a_portuguese_spreadsheet_writes_for_an_absent_value_is_one(tmp_path: Path) -> None:
    lines = text().splitlines()
    lines[5] = f"{lines[5].rpartition(';')[0]};#N/D"
    found = profile("v.csv", "\n".join([*lines, ""]).encode(), tmp_path)
    assert not found.bad_cells
    assert found.sample.figures["Vendas"].isna().sum() == 1


def test_dates_of_which_some_are_cells_and_some_text_are_read_as_what_they_are(tmp_path: Path) -> None:
    def fill(workbook: Any) -> None:
        workbook.active.append(HEADER)
        for place, (day, shop, units) in enumerate(SALES):
            workbook.active.append([day.strftime("%d/%m/%Y") if place % 3 else day.to_pydatetime(), shop, units])

    found = profile("v.xlsx", book(fill), tmp_path)
    assert found.sample.dialect.date_format == "%d/%m/%Y"
    assert not found.bad_cells


def exchanged(workbook: Any) -> None:
    """As a program that expects DD/MM opens a file with MM/DD: what could be a date became another one."""
    workbook.active.append(HEADER)
    for day, shop, units in SALES:
        wrong = day.replace(month=day.day, day=day.month) if day.day <= 12 else None
        workbook.active.append([wrong.to_pydatetime() if wrong else day.strftime("%m/%d/%Y"), shop, units])


def merged(workbook: Any) -> None:
    fill_sheet(workbook.active, loja=lambda place, shop: None if place % len(DAYS) else shop)


def by_hour(write: Callable[[int], str]) -> bytes:
    rows = [f"{day:%d/%m/%Y};{write(hour)};{hour % 7},5" for day in DAYS for hour in range(24)]
    return "\n".join(["Data;Hora;Vendas", *rows, ""]).encode()


def fixed_width(header: str) -> bytes:
    return "\n".join(
        [header, *(f"{day:%d/%m/%Y}  {shop:<8}  {brazilian(units):>8}" for day, shop, units in SALES)]
    ).encode()


def formulas(workbook: Any) -> None:
    workbook.active.append(HEADER)
    for day, shop, units in SALES:
        workbook.active.append([day.to_pydatetime(), shop, f"=1+{units}"])


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("v.xlsx", exchanged, "day and month may be exchanged in 'Data'"),
        ("v.xlsx", merged, "'Loja' names the series, and is empty in 78 rows, the first of them row 3"),
        ("v.xlsx", formulas, "the column 'Vendas' is empty in every row"),
        ("v.csv", text(lambda day: f"{day:%Y};{day.month}", header="Ano;Mês;Loja;Vendas").encode(),
         "the dates stand in several columns, 'Ano' and 'Mês'"),
        ("v.csv", text(lambda day: f"{day.isocalendar()[1]:02}/{day.year}", header="Semana;Loja;Vendas").encode(),
         "the number of a week may be counted in several ways"),
        ("v.csv", text(lambda day: f"{day:%d.%m.}-{day + pd.Timedelta(days=6):%d.%m.%Y}").encode(), "holds spans of days"),
        ("v.csv", text(lambda day: f"{day:%Y-%m-%d}/{day + pd.Timedelta(days=6):%Y-%m-%d}").encode(), "holds spans of days"),
        ("v.csv", text(lambda day: f'="{day:%Y-%m-%d}"').encode(), "the cells of Data are formulas, such as"),
        ("v.csv", by_hour(str), "the times stand in several columns, 'Data' and 'Hora'"),
        ("v.csv", by_hour(lambda hour: f"{hour:02}:00"), "the times stand in several columns, 'Data' and 'Hora'"),
        ("v.csv", b"Loja;2023;2023;2024\n;nov;dez;jan\nA;1;2;3\nB;2;3;4\n", "the column '2023' occurs twice"),
        ("v.csv", text(lambda day: day.strftime("%d/%m/%Y" if day.day % 2 else "%Y-%m-%d")).encode(), "others are not: row"),
        ("v.csv", text(number=lambda value: f"{value:.0f} kg").encode(), "'kg' behind it"),
        ("v.csv", f"{text()}(80 rows affected)\n".encode(), r"row 82 '\(80 rows affected\)' has 1 fields"),
        ("v.csv", f"{text()}{text().splitlines()[-1]}\n".encode(), "such as row 82"),
        ("v.json", b'[{"date": "2024-01-01"}]', "holds JSON"),
        ("v.xls", b"<html><table><tr><td>Data</td></tr></table></html>", "holds a web page"),
        ("v.txt", fixed_width("Data        Loja      Vendas"), "of fixed width, .* at the characters 1, 13 and 23, with spaces"),
        ("v.csv", text().replace(";", "\x01").encode(), "but the control character"),
        ("v.csv", b"", "is empty"),
        ("v.csv", b"Data;Loja;Vendas", "has a line of column names, and no row below it"),
        ("v.csv", b"Data;Loja;Vendas\n01/01/2024;A;5\n", "has 1 row below the columns' names"),
        ("v.xlsx", lambda workbook: workbook.active.append(HEADER), "and two or more rows below it"),
        ("v.csv", "Produto;Janeiro;Fevereiro;Março\nx;1;2;3\ny;2;3;4\n".encode(), "are named as months without a year"),
        ("v.csv", b"Ano;jan;fev;mar\n2022;1;2;3\n2023;2;3;4\n2024;5;3;4\n", "are named as months without a year"),
    ],
    ids=["exchanged", "merged", "formulas", "year-and-month", "week", "spans", "iso-spans", "formulas-of-text",
         "hours", "clock", "two-rows-of-names", "two-forms",
         "unit", "note", "twice", "json", "web-page", "fixed-width", "control-character", "empty",
         "names-alone", "one-row", "names-alone-in-a-sheet", "bare-months", "bare-months-by-year"],
)  # fmt: skip
def test_what_stands_in_the_way_is_said(
    name: str, data: bytes | Callable[[Any], None], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says) as caught:
        profile(name, book(data) if callable(data) else data, tmp_path)
    assert caught.value.hint


def test_an_empty_column_is_taken_for_one_of_formulas_in_a_sheet_alone(tmp_path: Path) -> None:
    pd.DataFrame(SALES, columns=HEADER).assign(Vendas=[None] * len(SALES)).to_parquet(tmp_path / "v.parquet")
    hints = []
    for name, write in (("v.parquet", (tmp_path / "v.parquet").read_bytes()), ("v.xlsx", book(formulas))):
        with pytest.raises(DataError, match="'Vendas' is empty in every row") as caught:
            profile(name, write, tmp_path)
        hints.append("formulas" in str(caught.value.hint))
    assert hints == [False, True]


def test_a_column_of_lists_beside_the_table_is_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame(SALES, columns=HEADER).assign(tags=[["a", "b"]] * len(SALES))
    frame.to_parquet(tmp_path / "v.parquet")
    found = profile_file(tmp_path / "v.parquet", {}, None, {})
    assert found.left_out["tags"] == "holds lists or structures, not single values"


@pytest.mark.parametrize(("step", "first", "frequency"), [
    ("14D", "2022-01-02", "2W-SUN"), ("10D", "2022-01-01", "10D"), ("2D", "2022-01-01", "2D"), ("21D", "2022-01-03", "3W-MON"),
])  # fmt: skip
def test_dates_that_are_some_days_apart_have_that_frequency(
    step: str, first: str, frequency: str, tmp_path: Path
) -> None:
    days = pd.date_range(first, periods=60, freq=step)
    rows = [f"{day:%Y-%m-%d},{shop},{place % 5}" for shop in "AB" for place, day in enumerate(days)]
    found = profile("v.csv", "\n".join(["date,store,units", *rows, ""]).encode(), tmp_path)
    assert found.frequency == frequency


def test_series_of_which_each_has_every_second_week_are_weekly(tmp_path: Path) -> None:
    days = pd.date_range("2022-01-02", periods=80, freq="W-SUN")
    rows = [f"{day:%Y-%m-%d},{'AB'[place % 2]},{place % 5}" for place, day in enumerate(days)]
    found = profile("v.csv", "\n".join(["date,store,units", *rows, ""]).encode(), tmp_path)
    assert found.frequency == "W-SUN"


def test_half_months_are_added_up_to_months(tmp_path: Path) -> None:
    days = pd.date_range("2020-01-01", periods=60, freq="SMS")
    text = "\n".join(["date,units", *(f"{day:%Y-%m-%d},{place % 5}" for place, day in enumerate(days)), ""])
    with pytest.raises(DataError, match="no common length") as caught:
        profile("v.csv", text.encode(), tmp_path)
    assert "half months with MS" in str(caught.value.hint)
    found = profile_file(tmp_path / "v.csv", {"frequency": "MS"}, None, {})
    assert [row.value for row in found.rows if row.key == "aggregate"] == ["sum"]
