"""A person's own files, as programs write them: `init` says how they are written and why, and `apply` forecasts from them."""

from __future__ import annotations

import gzip
import json
import random
import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from mlspec.cli import main as front
from tests.forecast.layouts import Sales, Written, csv_bytes, excel_bytes, write_partitions

WEEKS = tuple(pd.Timestamp("2022-01-02") + pd.Timedelta(weeks=week) for week in range(60))
SALES = Sales(
    tuple((day, shop, 1000.5 + place % 9 * 100) for shop in ("São João", "Belém") for place, day in enumerate(WEEKS))
)
EXCEL = {
    "delimiter": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252", "date_format": "%d/%m/%Y",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def init(*words: str) -> dict[str, Any]:
    """The dataset of the spec that `init` writes."""
    assert front.run(["init", "--from", *words, "--name", "x"]) == 0
    return dataset()


def dataset() -> dict[str, Any]:
    value: dict[str, Any] = yaml.safe_load(Path("specs/x.yaml").read_text(encoding="utf-8"))["dataset"]
    return value


def quick() -> None:
    """Let the spec compete with one candidate alone."""
    path = Path("specs/x.yaml")
    path.write_text(
        path.read_text(encoding="utf-8").replace("candidates: auto", "candidates: [{kind: seasonal-naive, season: 2}]"),
        encoding="utf-8",
    )


def test_a_brazilian_excel_csv_becomes_a_forecast(capsys: pytest.CaptureFixture[str]) -> None:
    Path("vendas.csv").write_bytes(csv_bytes(SALES, Written(EXCEL, "\r\n")))
    found = init("vendas.csv")
    assert found["source"] == {"uri": "vendas.csv", **EXCEL}
    assert (found["time"], found["series"], found["target"], found["frequency"]) == (
        "data",
        ["loja"],
        "vendas",
        "W-SUN",
    )
    said = capsys.readouterr().out
    assert "row 2 is not UTF-8; it is text in cp1252: '02/01/2022;São João;1.000,50'" in said
    assert "every line has 3 fields with a semicolon between them" in said
    assert "'1.000,50' in vendas is a number" in said
    assert "is a date in this form, such as '16/01/2022'" in said
    quick()
    assert front.run(["validate", "--data"]) == 0
    assert front.run(["apply"]) == 0
    capsys.readouterr()
    assert front.run(["forecast", "x", "--output", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["loja"] for row in rows} == {"São João", "Belém"}
    assert all(1000 <= row["mean"] <= 1900 for row in rows)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("a.csv", {**EXCEL, "encoding": "utf-8"}),
        ("a.csv", {"decimal": ",", "date_format": "%d/%m/%Y"}),
        ("a.csv", {"decimal": ","}),
        ("a.csv", {"delimiter": "\t", "encoding": "utf-16"}),
        ("a.txt", {"format": "csv", "delimiter": "|", "date_format": "yyyymmdd"}),
        ("a.csv.gz", {"thousands": ",", "date_format": "%m/%d/%Y"}),
        ("a.csv.zst", {}),
        ("a.dat", {"format": "csv", "compression": "gzip", "date_format": "%d.%m.%y"}),
        ("a.csv", {"encoding": "cp850", "delimiter": ";", "decimal": ",", "date_format": "%d/%b/%Y"}),
    ],
)
def test_a_dialect_is_found_and_written(name: str, keys: dict[str, Any]) -> None:
    how = {"compression": "gzip"} if name.endswith(".gz") else {"compression": "zstd"} if name.endswith(".zst") else {}
    Path(name).write_bytes(csv_bytes(SALES, Written({**keys, **how}, "\r\n")))
    expected = {key: value for key, value in keys.items() if value != "utf-8"}
    if keys.get("decimal") == "," and "thousands" not in keys:
        expected.pop("thousands", None)
    assert init(name)["source"] == {"uri": name, **expected}
    assert front.run(["validate", "--data"]) == 0


def test_a_partitioned_folder_is_understood_and_forecast(capsys: pytest.CaptureFixture[str]) -> None:
    write_partitions(SALES, Path("dados/vendas"))
    found = init("dados/vendas")
    assert found["source"] == {"uri": "dados/vendas", "format": "parquet"}
    assert found["series"] == ["loja"]
    quick()
    assert front.run(["validate", "--data"]) == 0
    assert front.run(["apply"]) == 0
    capsys.readouterr()
    moved = Path("dados/vendas/loja=Marab%C3%A1")
    next(Path("dados/vendas").glob("loja=Bel*")).rename(moved)  # the same bytes of another shop
    assert front.run(["plan"]) == 0
    assert "the data changed" in capsys.readouterr().out
    Path("elsewhere").mkdir()
    assert front.run(["init", "elsewhere", "--from", "dados/vendas"]) == 1
    assert "is not in the project" in capsys.readouterr().err


@pytest.mark.parametrize("typed", [True, False])
def test_a_workbook_is_understood(typed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    keys = {"decimal": ",", "date_format": "%d/%m/%Y"}
    Path("vendas.xlsx").write_bytes(excel_bytes(SALES, Written(keys), typed=typed))
    found = init("vendas.xlsx")
    assert found["source"] == {"uri": "vendas.xlsx", "sheet": "Plan1", **({} if typed else keys)}
    assert "the first sheet with a table" in capsys.readouterr().out
    assert front.run(["validate", "--data"]) == 0


def test_one_odd_cell_makes_no_other_column_the_target_and_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"2022-{month:02}-{day:02},{day},{day / 7:.3f}" for month in range(1, 6) for day in range(1, 29)]
    lines[10] = "2022-01-11,n/d,1.571"
    Path("x.csv").write_text("\n".join(["date,units,price", *lines]) + "\n")
    assert init("x.csv")["target"] == "units"
    assert "row 12: 'n/d' in units is not a number" in capsys.readouterr().out
    assert front.run(["validate", "--data"]) == 1
    assert "x.csv row 12: 'n/d' is not a number" in capsys.readouterr().out
    quick()
    assert front.run(["apply"]) == 1
    assert capsys.readouterr().out.count("x.csv row 12: units 'n/d' is not a number") == 1


def test_low_numbers_are_sales_and_no_names_of_series() -> None:
    for seed, (target, shops, items) in enumerate(
        [("units", 50, 1), ("vendas", 60, 1), ("qty", 10, 6), ("Quantidade", 25, 3), ("x", 55, 1), ("value", 8, 8)]
    ):
        random.seed(seed)
        rows = [
            {"date": f"2024-{1 + day // 28:02}-{1 + day % 28:02}", "store": shop, "item": item, target: random.choice([0, 0, 1, 2])}
            for shop in range(1, shops + 1)
            for item in range(1, items + 1)
            for day in range(40)
        ]  # fmt: skip
        frame = pd.DataFrame(rows)
        frame.drop(columns=["item"] if items == 1 else []).to_csv("low.csv", index=False)
        Path("specs/x.yaml").unlink(missing_ok=True)
        found = init("low.csv")
        assert (found["target"], found["series"]) == (target, ["store"] if items == 1 else ["store", "item"])


@pytest.mark.parametrize(
    ("header", "roles"),
    [
        ("data,loja,vendas,preço", ("data", ["loja"], "vendas")),
        ("Data,Filial,Quantidade,Preço", ("Data", ["Filial"], "Quantidade")),
        ("dia,região,qtde,preço unitário", ("dia", ["região"], "qtde")),
        ("mês,produto,faturamento,estoque", ("mês", ["produto"], "faturamento")),
    ],
)
def test_portuguese_names_of_columns_count_as_english_ones(header: str, roles: tuple[str, list[str], str]) -> None:
    lines = [f"2024-{month:02}-01,{name},{month + 10},{month + 20}" for name in "ab" for month in range(1, 13)]
    Path("v.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    found = init("v.csv")
    assert (found["time"], found["series"], found["target"], found["frequency"]) == (*roles, "MS")
    if "ç" in header:
        assert "pre\\u" not in Path("specs/x.yaml").read_text(encoding="utf-8")  # as a person writes it


def test_the_region_of_each_shop_is_a_static_column_and_no_part_of_the_series() -> None:
    regions = {"Moema": "Capital", "Campinas": "Interior", "Sorocaba": "Interior"}
    lines = [
        f"2024-{month:02}-01,{shop},{product},{region},{month + 10}"
        for shop, region in regions.items() for product in ("Café", "Chá") for month in range(1, 13)
    ]  # fmt: skip
    Path("v.csv").write_text("\n".join(["data,loja,produto,região,vendas", *lines]) + "\n", encoding="utf-8")
    found = init("v.csv")
    assert (found["series"], found["covariates"]["static"]) == (["loja", "produto"], ["região"])


@pytest.mark.parametrize(
    ("texts", "words", "keys"),
    [
        (["1.050", "950"], ("--decimal", ","), {"decimal": ",", "thousands": "."}),
        (["1.050", "950"], ("--decimal", "."), {"decimal": "."}),
        (["1.050", "950"], ("--thousands", "."), {"decimal": ",", "thousands": "."}),
        (['"1,050"', "950"], ("--decimal", "."), {"decimal": ".", "thousands": ","}),
    ],
)
def test_a_number_with_two_readings_is_asked_for_or_said(
    texts: list[str], words: tuple[str, ...], keys: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"2024-01-{day:02},{texts[day % 2]}" for day in range(1, 29)]
    Path("n.csv").write_text("\n".join(["date,units", *lines]) + "\n")
    assert front.run(["init", "--from", "n.csv", "--name", "x"]) == 1
    said = capsys.readouterr().err
    assert f"'{texts[0].strip(chr(34))}' in units has two readings" in said
    assert "--decimal ','" in said
    assert "--decimal '.'" in said
    assert not Path("specs").exists()
    assert init("n.csv", *words)["source"] == {"uri": "n.csv", **keys}
    capsys.readouterr()
    assert front.run(["validate", "--data", "--output", "json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert (value["valid"], [warning["path"] for warning in value["warnings"]]) == (True, ["dataset.target"])


def test_a_date_with_two_readings_is_asked_for_or_said(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"01/{month:02}/{year},{month}" for year in (2022, 2023) for month in range(1, 13)]
    Path("d.csv").write_text("\n".join(["date,units", *lines]) + "\n")
    assert front.run(["init", "--from", "d.csv", "--name", "x"]) == 1
    said = capsys.readouterr().err
    assert "'01/02/2022' in date has two readings" in said
    assert "--date-format '%d/%m/%Y' (2022-02-01) or --date-format '%m/%d/%Y' (2022-01-02)" in said
    found = init("d.csv", "--date-format", "%d/%m/%Y")
    assert (found["source"]["date_format"], found["frequency"]) == ("%d/%m/%Y", "MS")
    capsys.readouterr()
    assert front.run(["validate", "--data"]) == 0
    assert "warning: dataset.time: '01/02/2022' in date is read as %d/%m/%Y" in capsys.readouterr().out


def test_on_a_terminal_the_reading_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"2024-01-{day:02},{'1.050' if day % 2 else 950}" for day in range(1, 29)]
    Path("n.csv").write_text("\n".join(["date,units", *lines]) + "\n")
    monkeypatch.setattr("mlspec.cli.profiling.sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.prompt", lambda *_words, **_options: "2")
    assert init("n.csv")["source"] == {"uri": "n.csv", "decimal": ",", "thousands": "."}
    assert "it is 1050" in capsys.readouterr().err


def test_where_another_column_tells_nothing_is_asked() -> None:
    lines = [f'2024-01-{day:02},1.0{day:02},"5,90"' for day in range(1, 29)]
    Path("n.csv").write_text("\n".join(["date,units,price", *lines]) + "\n")
    assert init("n.csv")["source"] == {"uri": "n.csv", "decimal": ",", "thousands": "."}


@pytest.mark.parametrize(
    ("form", "texts", "frequency"),
    [
        ("iso-week", [f"2024-W{week:02}" for week in range(1, 53)], "W-MON"),
        ("yyyymm", [f"{year}{month:02}" for year in (2022, 2023) for month in range(1, 13)], "MS"),
        ("quarter", [f"{year}Q{quarter}" for year in range(2015, 2024) for quarter in range(1, 5)], "QS"),
        ("%Y", [str(year) for year in range(1990, 2024)], "YS"),
    ],
)
def test_periods_that_are_no_days_are_understood(form: str, texts: list[str], frequency: str) -> None:
    Path("p.csv").write_text(
        "\n".join(["period,units", *(f"{text},{len(text) + place}" for place, text in enumerate(texts))])
    )
    found = init("p.csv")
    assert (found["source"]["date_format"], found["frequency"], found["target"]) == (form, frequency, "units")
    assert front.run(["validate", "--data"]) == 0


def test_where_every_row_fails_the_first_three_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("vendas.csv").write_bytes(csv_bytes(SALES, Written(EXCEL)))
    init("vendas.csv")
    path = Path("specs/x.yaml")
    path.write_text(path.read_text(encoding="utf-8").replace("%d/%m/%Y", "iso"), encoding="utf-8")
    quick()
    assert front.run(["apply"]) == 1
    said = capsys.readouterr().out
    for row, day in ((2, "02/01/2022"), (3, "09/01/2022"), (4, "16/01/2022")):
        assert f"vendas.csv row {row}: data '{day}' is not a date in ISO 8601" in said


def test_a_file_with_a_pandas_index_and_a_column_named_as_an_output_is_read_as_apply_reads_it() -> None:
    frame = pd.DataFrame(
        [(day, version, 10 + place % 7) for version in ("a", "b") for place, day in enumerate(WEEKS)],
        columns=["date", "version", "units"],
    )
    frame["shop"] = frame["version"].map({"a": "north", "b": "south"})
    frame.set_index("date").to_parquet("v.parquet")
    found = init("v.parquet")
    assert (found["time"], found["series"]) == ("date", ["shop"])
    quick()
    assert front.run(["apply"]) == 0


def test_another_dialect_of_the_same_bytes_trains_again(capsys: pytest.CaptureFixture[str]) -> None:
    days = pd.date_range("2024-01-01", periods=56).strftime("%Y-%m-%d")
    lines = [f"{day},{'1.050' if place % 2 else 950}" for place, day in enumerate(days)]
    Path("n.csv").write_text("\n".join(["date,units", *lines]) + "\n")
    init("n.csv", "--decimal", ".")
    quick()
    assert front.run(["apply"]) == 0
    path = Path("specs/x.yaml")
    path.write_text(path.read_text().replace('decimal: "."', 'decimal: ","\n    thousands: "."'))
    capsys.readouterr()
    assert front.run(["plan"]) == 0
    said = capsys.readouterr().out
    assert "dataset.source.decimal" in said
    assert "trains 1" in said


def test_other_line_ends_are_no_other_data(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where release 0.1.0 recorded the bytes of the file: an upgrade alone changes nothing."""
    Path("vendas.csv").write_bytes(csv_bytes(SALES, Written(EXCEL, "\r\n")))
    init("vendas.csv")
    quick()
    with monkeypatch.context() as release:
        release.setattr("mlspec.targets.local.sources._is_text", lambda *_: False)
        assert front.run(["apply"]) == 0
    assert front.run(["plan", "--detailed-exitcode"]) == 0
    shutil.rmtree(".mlspec")
    assert front.run(["apply"]) == 0
    Path("vendas.csv").write_bytes(csv_bytes(SALES, Written(EXCEL, "\n")))
    capsys.readouterr()
    assert front.run(["apply"]) == 0
    assert "Nothing to do" in capsys.readouterr().out


def test_a_rehearsal_reads_the_dialect_of_its_spec(capsys: pytest.CaptureFixture[str]) -> None:
    Path("vendas.csv.gz").write_bytes(gzip.compress(csv_bytes(SALES, Written(EXCEL, "\r\n"))))
    init("vendas.csv.gz")
    quick()
    spec, watched = Path("specs/x.yaml"), "alerts:\n  - {name: accuracy, metric: wape, above: 0.2, window: 2}\n"
    text = re.sub(r"alerts:\n(?:  .*\n)+", watched, spec.read_text(encoding="utf-8"))
    spec.write_text(f"{text}rollback: {{on: [accuracy]}}\n", encoding="utf-8")
    assert front.run(["apply"]) == 0
    assert front.run(["rehearse", "x", "--fault", "drift"]) in (0, 3)
    assert "alert" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [["--encoding", "nope"], ["--date-format", "%d/%m"], ["--delimiter", "ab"], ["--delimiter", '"'], ["--currency", "1"]],
)  # fmt: skip
def test_a_word_that_no_spec_may_say_writes_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text("date,units\n2024-01-01,1\n2024-01-02,2\n")
    assert front.run(["init", "--from", "x.csv", *words]) == 2
    assert "error:" in capsys.readouterr().err
    assert not Path("specs").exists()


def test_a_name_with_a_newline_stands_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"2024-01-{day:02},{day % 7}" for day in range(1, 29)]
    Path("n.csv").write_text("\n".join(['date,"units\n(pcs)"', *lines, ""]))
    init("n.csv")
    assert "target     units\\n(pcs)  chosen" in capsys.readouterr().out
