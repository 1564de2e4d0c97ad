"""A source that is checked in parts by series gives the same bytes as in one, also where it is broken."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec import jobs
from mlspec.errors import MlspecError
from mlspec.forecast import dealt_rows, history_parts, series_parts
from mlspec.forecast.load import type_rows
from mlspec.jobs import panel_parts
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.state.step import StepRequest, StepResult

COLUMNS = ["shop", "item", "day", "units", "promo", "size"]
HORIZON = 4


@contextmanager
def dealt_into(parts: int, group: int = 7) -> Iterator[None]:
    """Let a source be dealt into so many parts, a few rows at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history_parts, "count_parts", lambda _rows: parts)
        patch.setattr(dealt_rows, "_GROUP", group)
        yield


def check(root: Path, dataset: dict[str, Any], parts: int) -> tuple[StepResult, Path]:
    """Run the step. Its folder has the result alone: no file of a part is left."""
    values = {
        "apiVersion": "mlspec/v1", "kind": "Forecast", "metadata": {"name": "demand"},
        "dataset": {"time": "day", "series": ["shop", "item"], "target": "units", "frequency": "D"} | dataset,
        "model": {"horizon": HORIZON, "candidates": [{"kind": "seasonal-naive"}], "backtest": {"windows": 1}},
    }  # fmt: skip
    spec = resolved_json(Forecast.model_validate(values))
    out = Path(tempfile.mkdtemp(dir=root))
    with dealt_into(parts):
        result = jobs.run(
            StepRequest("check", spec, root, out, {}, {"now": "2024-01-20T00:00:00Z"}), lambda *_words: None
        )
    assert sorted(out.iterdir()) == sorted(result.outputs.values())
    return result, out


def outcome(root: Path, dataset: dict[str, Any], parts: int) -> Any:
    """Return the facts and the bytes of all files, or the words in which the data are refused."""
    try:
        result, _ = check(root, dataset, parts)
    except MlspecError as error:
        return str(error), error.hint
    return json.dumps(result.facts), {role: path.read_bytes() for role, path in result.outputs.items()}


def regular_rows(series: list[tuple[str, str]], starts: list[int]) -> list[list[str]]:
    return [
        [shop, item, f"2024-01-{day:02}", str((day * 7 + place) % 5), str(day % 2), f"{shop}-size"]
        for place, (shop, item) in enumerate(series)
        for day in range(1 + starts[place], 16)
    ]


NAMES = st.lists(
    st.tuples(st.sampled_from(["S1", "S2", "01", "1", "a/b"]), st.sampled_from(["x", "y", "\\", "Ä"])),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip
CELLS = st.one_of(
    st.tuples(st.just("units"), st.sampled_from(["", "-3", "many", "1e99", "NA", "0"])),
    st.tuples(st.just("promo"), st.sampled_from(["", "TRUE", "high", "0.5"])),
    st.tuples(st.just("size"), st.sampled_from(["", "other", "7"])),
    st.tuples(st.just("day"), st.sampled_from(["", "2024-02-31", "2024-01-03T00:00:00Z", "2023-12-30", "2024-01-07"])),
    st.tuples(st.just("shop"), st.sampled_from(["", "S1"])),
    st.tuples(st.just("line"), st.sampled_from(["", "a,b", ",,,,,", "S1,x,2024-01-05,1,1,1,1,1"])),
)
DATASETS = st.fixed_dictionaries({
    "missing": st.sampled_from(["unknown", "zero"]),
    "new_series": st.sampled_from(["cold-start", "no-forecast"]),
    "ended_series": st.sampled_from(["no-forecast", "zero"]),
    "checks": st.sampled_from([
        {}, {"completeness": {"min": 0.1}},
        {"completeness": {"min": 0.1}, "range": {"units": {"min": 0, "max": 3}, "promo": {"max": 1}}},
        {"completeness": {"min": 0.1}, "series": {"min": 2, "max_missing": 0.5}, "freshness": {"max_age": "2d"}},
    ]),
    "covariates": st.sampled_from([
        {}, {"past": ["promo"]}, {"static": ["size"]}, {"known": ["promo"], "events": {"fair": ["2024-01-05"]}},
    ]),
    "calendar": st.sampled_from([None, {"closed": ["2024-01-06"]}]),
    "available": st.sampled_from([None, "promo"]),
})  # fmt: skip


@st.composite
def sources(draw: st.DrawFn) -> tuple[str, str, dict[str, Any]]:
    """The lines of a history and of a plan, and what the spec says: most are sound, some lack rows or have odd cells."""
    series = draw(NAMES)
    rows = regular_rows(series, draw(st.lists(st.integers(0, 13), min_size=len(series), max_size=len(series))))
    ended = draw(st.sets(st.sampled_from(series), max_size=len(series) - 1))
    rows = [row for row in rows if (row[0], row[1]) not in ended or row[2] < "2024-01-09"]
    if draw(st.booleans()):
        rows = draw(st.permutations(rows))
    lines = [",".join(row) for row in rows]
    for place in draw(st.lists(st.integers(0, 200), max_size=3)):
        if lines:
            del lines[place % len(lines)]
    for place, (column, text) in draw(st.lists(st.tuples(st.integers(0, 200), CELLS), max_size=3)):
        if column == "line":
            lines.insert(place % (len(lines) + 1), text)
        elif lines and lines[place % len(lines)].count(",") == 5:
            cells = lines[place % len(lines)].split(",")
            cells[COLUMNS.index(column)] = text
            lines[place % len(lines)] = ",".join(cells)
    dataset = {key: value for key, value in draw(DATASETS).items() if value is not None}
    if {"past", "known"} & dataset["covariates"].keys():  # the same column is no covariate
        dataset.pop("available", None)
    if dataset["missing"] == "zero" or dataset["ended_series"] == "zero":
        dataset["ended_after"] = "6d"
    plan = [f"{shop},{item},2024-01-{day},1" for shop, item in series for day in range(14, 20)]
    kept = draw(st.lists(st.sampled_from(plan), max_size=2))
    return "\n".join(lines), "\n".join(line for line in plan if line not in kept), dataset


@pytest.mark.parametrize("handling", ["keep", "replace"])
def test_outliers_and_stock_outs_are_those_of_all_series(tmp_path: Path, handling: str) -> None:
    """A bulk order, a shelf that was empty, and a day on which half of the series sell ten times as much: that is an event."""
    lines = [",".join(COLUMNS)]
    for place in range(8):
        for number, day in enumerate(pd.date_range("2023-10-01", "2024-01-16")):
            units = 20 + number % 7 + (place * 7 + number * 3) % 5
            if (place, number) == (3, 50) or (number == 70 and place % 2):
                units *= 10
            if place == 6 and 30 <= number < 45:
                units = 0
            lines.append(f"S{place},x,{day.date()},{units},0,s")
    (tmp_path / "sales.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset = {"source": {"uri": "sales.csv"}, "outliers": handling}
    whole = outcome(tmp_path, dataset, 1)
    facts = json.loads(whole[0])
    assert [value[:2] for value in facts["outliers"]["values"]] == [["S3/x", "2023-11-20"]]
    assert [run[:3] for run in facts["stockouts"]["runs"]] == [["S6/x", "2023-10-31", "2023-11-14"]]
    assert facts["filled"] == (handling == "replace")
    assert outcome(tmp_path, dataset, 4) == whole


@settings(max_examples=30)
@given(sources(), st.sampled_from([2, 8]), st.sampled_from([6, 10**6]))
def test_parts_change_no_byte(source: tuple[str, str, dict[str, Any]], parts: int, part_rows: int) -> None:
    lines, plan, dataset = source
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(series_parts, "PART_ROWS", part_rows)
        root = Path(name)
        (root / "sales.csv").write_text(f"{','.join(COLUMNS)}\n{lines}\n", encoding="utf-8")
        (root / "plan.csv").write_text(f"shop,item,day,promo\n{plan}\n", encoding="utf-8")
        dataset = {"source": {"uri": "sales.csv"}, **dataset}
        if "known" in dataset["covariates"]:
            dataset["future"] = {"uri": "plan.csv"}
        assert outcome(root, dataset, parts) == outcome(root, dataset, 1)


def write_parquet(root: Path) -> dict[str, Any]:
    """Two files with typed columns: whole numbers as names, flags of which some are missing, a category that is planned."""
    rows = pd.DataFrame(regular_rows([("7", "1"), ("8", "2"), ("9", "3"), ("10", "4")], [0, 2, 0, 12]), columns=COLUMNS)
    rows = rows.astype({"shop": "int64", "item": "int64", "units": "float64"})
    rows = rows.assign(
        day=pd.to_datetime(rows["day"]), promo=rows["promo"].eq("1").astype(object).where(rows.index % 3 > 0)
    )
    (root / "sales").mkdir()
    for name, part in (("a", rows.iloc[::2]), ("b", rows.iloc[1::2])):
        part.to_parquet(root / "sales" / f"{name}.parquet")
    ahead = rows.drop_duplicates(["shop", "item"]).assign(promo=None)
    plan = pd.concat([ahead.assign(day=pd.Timestamp(f"2024-01-{day}")) for day in range(16, 20)])
    plan[["shop", "item", "day", "size"]].replace({"size": {"8-size": "new"}}).to_csv(root / "plan.csv", index=False)
    return {
        "source": {"uri": "sales"}, "future": {"uri": "plan.csv"},
        "covariates": {"known": ["size"], "past": ["promo"]}, "checks": {"completeness": {"min": 0.5}},
    }  # fmt: skip


def write_hours(root: Path) -> dict[str, Any]:
    """Hours around the end of summer time, which one of the shops has twice."""
    hours = pd.date_range("2024-01-01", periods=60, freq="h").strftime("%Y-%m-%dT%H:%M")
    autumn = [hour.replace("2024-01-01", "2024-10-27") for hour in hours[:24]]
    lines = [f"{shop},x,{hour},{shop},0,s" for shop in ("2", "3", "4") for hour in autumn]
    (root / "sales.csv").write_text("\n".join([",".join(COLUMNS), *lines, "3,x,2024-10-27T02:00,9,0,s"]))
    return {"source": {"uri": "sales.csv"}, "frequency": "h", "timezone": "Europe/Berlin"}


def write_two_files(root: Path) -> dict[str, Any]:
    """A file for each shop, and a number in one of them that is none."""
    for shop in ("1", "2", "3"):
        rows = regular_rows([(shop, "x"), (shop, "y")], [0, 3])
        rows[4][3] = "many" if shop == "2" else "4"
        lines = [",".join(row) for row in rows]
        (root / f"sales-{shop}.csv").write_text("\n".join([",".join(COLUMNS), *lines]))
    return {"source": {"uri": "sales-*.csv"}}


def write_offsets(root: Path) -> dict[str, Any]:
    """The times of one shop have an offset from UTC, those of the others have none: which are wrong is seen from all of them."""
    rows = [
        [row[0], row[1], row[2] + "T00:00Z" * (row[0] == "1"), *row[3:]]
        for row in regular_rows([(shop, "x") for shop in ("1", "2", "3", "4")], [0] * 4)
    ]
    (root / "sales.csv").write_text("\n".join([",".join(COLUMNS), *(",".join(row) for row in rows)]))
    return {"source": {"uri": "sales.csv"}}


def write_brazilian(root: Path) -> dict[str, Any]:
    """Days before months, which Arrow does not read, beside decimal commas, which it does."""
    rows = regular_rows([("São Paulo", "x"), ("Bahia", "y"), ("Pará", "x")], [0, 2, 0])
    lines = [";".join([*row[:2], f"{row[2][8:]}/01/2024", f"{row[3]},5", *row[4:]]) for row in rows]
    (root / "sales.csv").write_text("\n".join([";".join(COLUMNS), *lines]), encoding="utf-8")
    return {"source": {"uri": "sales.csv", "delimiter": ";", "decimal": ",", "date_format": "%d/%m/%Y"}}


def write_thousands(root: Path) -> dict[str, Any]:
    """Dates that Arrow reads beside numbers that it does not."""
    rows = regular_rows([("S1", "x"), ("S2", "y"), ("S3", "x")], [0, 2, 0])
    lines = [";".join([*row[:3], f"1.00{row[3]},5", *row[4:]]) for row in rows]
    (root / "sales.csv").write_text("\n".join([";".join(COLUMNS), *lines]))
    return {"source": {"uri": "sales.csv", "delimiter": ";", "decimal": ",", "thousands": "."}}


SOUND = (write_parquet, write_hours, write_brazilian, write_thousands)


@pytest.mark.parametrize("write", [*SOUND, write_two_files, write_offsets])
def test_files_of_any_kind_are_checked_the_same_in_parts(tmp_path: Path, write: Any) -> None:
    dataset = write(tmp_path)
    one = outcome(tmp_path, dataset, 1)
    assert outcome(tmp_path, dataset, 4) == one
    facts = json.loads(one[0])
    assert facts["ok"] == (write in SOUND), facts
    assert facts["rows"] > 40


def test_a_large_source_is_read_in_parts_and_its_panel_kept_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [",".join(row) for row in regular_rows([(f"S{number}", "x") for number in range(20)], [0] * 20)]
    (tmp_path / "sales.csv").write_text("\n".join([",".join(COLUMNS), *lines]))
    read: list[int] = []

    def listen(dataset: Any, table: Any, kinds: Any) -> Any:
        read.append(len(table))
        return type_rows(dataset, table, kinds)

    monkeypatch.setattr(series_parts, "PART_ROWS", 100)
    monkeypatch.setattr(history_parts, "type_rows", listen)
    result, _ = check(tmp_path, {"source": {"uri": "sales.csv"}}, 4)
    assert len(read) == 2 * 4
    assert sum(read) == 2 * 300
    assert max(read) < 150
    parts = [part.read() for part in panel_parts.series_parts(result.outputs)]
    assert [len(part) for part in parts] == read[:4]
    assert len(panel_parts.read_panel_frame(result.outputs)) == 300
