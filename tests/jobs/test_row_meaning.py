"""What rows mean: an absent row, a series that ended, one that is new, and one without a value."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.idle import find_idle_series
from mlspec.forecast.spans import RowRules, series_spans
from mlspec.jobs.panel_parts import read_panel_frame
from mlspec.plan.series_fates import fate_sentences, find_fate
from tests.jobs.pipeline import NOW, Pipeline

START = date(2024, 1, 1)
LENIENT = {"completeness": {"min": 0.0}}
Sales = dict[str, dict[int, int | None]]  # by series and day: a number, or None for an empty cell


def as_rows(sales: Sales) -> str:
    rows = [
        f"{shop},{START + timedelta(days=day)},{'' if units is None else units}"
        for shop, days in sales.items()
        for day, units in sorted(days.items())
    ]
    return "\n".join(["shop,day,units", *rows, ""])


def checked(root: Path, text: str, **dataset: Any) -> Pipeline:
    root.mkdir(exist_ok=True)
    run = Pipeline(root).data(text)
    run.spec["dataset"] |= dataset
    run.check()
    return run


def panel(run: Pipeline) -> pd.DataFrame:
    assert run.facts["check"]["ok"], run.facts["check"]["checks"]
    return read_panel_frame(run.files)


def two(days: range, ends: range) -> Sales:
    """A series over all days, and one that ends."""
    return {"a": {day: 5 + day % 7 for day in days}, "b": {day: 3 + day % 7 for day in ends}}


sparse = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.dictionaries(st.integers(0, 20), st.integers(1, 9), min_size=1),
    min_size=1,
)


@settings(max_examples=20)
@given(sales=sparse)
def test_where_an_absent_row_is_a_zero_a_sparse_table_means_the_same_as_a_full_one(sales: Sales) -> None:
    newest = max(day for days in sales.values() for day in days)
    full: Sales = {
        shop: {day: days.get(day, 0) for day in range(min(days), newest + 1)} for shop, days in sales.items()
    }
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        one = panel(checked(Path(first), as_rows(sales), missing="zero"))
        other = panel(checked(Path(second), as_rows(full), checks=LENIENT))
    pd.testing.assert_frame_equal(one, other)


def test_zeros_are_scored_and_gaps_are_not(tmp_path: Path) -> None:
    sales: Sales = {"a": {day: 9 for day in range(42) if day % 3 == 0 or day == 41}}
    zero = checked(tmp_path / "zero", as_rows(sales), missing="zero")
    assert zero.facts["check"]["zeros"] == 42 - len(sales["a"])
    unknown = checked(tmp_path / "unknown", as_rows(sales), checks=LENIENT)
    assert unknown.facts["check"]["filled"] == 42 - len(sales["a"])
    actuals = {}
    for name, run in (("zero", zero), ("unknown", unknown)):
        run.run("backtest", incumbent=None)
        actuals[name] = pd.read_parquet(run.files["backtest"])["y"]
    assert (actuals["zero"] == 0).any()
    assert actuals["zero"].notna().all()
    assert not (actuals["unknown"] == 0).any()


def test_slow_sales_are_forecast_at_their_own_level(tmp_path: Path) -> None:
    sales: Sales = {shop: dict.fromkeys(range(number, 120, 3), 11) | {119: 11} for number, shop in enumerate("abc")}
    run = checked(tmp_path, as_rows(sales), missing="zero")
    run.spec["model"] |= {"candidates": [{"kind": "croston"}]}
    scores = run.run("backtest", incumbent=None)
    run.run("train", candidate=scores["champion_candidate"])
    run.run("forecast", version="v1")
    assert pd.read_parquet(run.files["forecast"])["mean"].between(2.5, 5.5).all()  # a third of 11, and not 11


def test_an_empty_value_is_not_known_also_where_an_absent_row_is_a_zero(tmp_path: Path) -> None:
    sales: Sales = {"a": {0: 5, 3: None, 20: 5}}
    run = checked(tmp_path / "strict", as_rows(sales), missing="zero")
    (gaps,) = [check for check in run.facts["check"]["checks"] if check["check"] == "gaps"]
    assert not gaps["ok"]
    assert gaps["examples"] == ["series 'a' lacks 1, the first 2024-01-04"]
    frame = panel(checked(tmp_path / "lenient", as_rows(sales), missing="zero", checks=LENIENT))
    assert list(frame.loc[~frame["observed"], "ds"]) == [pd.Timestamp("2024-01-04")]


def test_gaps_name_the_key_that_says_what_they_are(tmp_path: Path) -> None:
    run = checked(tmp_path, as_rows({"a": {0: 5, 20: 5}}))
    (gaps,) = [check for check in run.facts["check"]["checks"] if check["check"] == "gaps"]
    assert "dataset.missing: zero" in gaps["message"]


def test_a_series_that_ended_is_told_and_refuses_no_other(tmp_path: Path) -> None:
    run = checked(tmp_path, as_rows(two(range(42), range(30))))
    assert set(panel(run)["unique_id"]) == {"a"}
    assert fate_sentences(run.facts["check"]) == ("1 series ended, and has no forecast: 'b' (last value 2024-01-30)",)


@pytest.mark.parametrize(("dataset", "forecast"), [
    ({"ended_after": "12d"}, {"a"}),
    ({"ended_after": "13d"}, {"a", "b"}),
    ({"missing": "zero"}, {"a", "b"}),
    ({"missing": "zero", "ended_after": "12d"}, {"a"}),
])  # fmt: skip
def test_a_spec_says_when_a_series_has_ended(tmp_path: Path, dataset: dict[str, Any], forecast: set[str]) -> None:
    run = checked(tmp_path, as_rows(two(range(42), range(30))), checks=LENIENT, **dataset)
    assert set(panel(run)["unique_id"]) == forecast


# --- series whose rows go on, and that sell nothing -------------------------------------------------------------------


def unsold(zeros: str = "rows") -> Sales:
    """A series over 60 days, a slow seller, and one that sold nothing since day 39: in rows that say 0, or in no row."""
    sold = two(range(60), range(40))
    slow = {day: 4 if day % 12 == 0 else 0 for day in range(60)}
    return {**sold, "b": {**sold["b"], **(dict.fromkeys(range(40, 60), 0) if zeros == "rows" else {})}, "slow": slow}


@pytest.mark.parametrize(("zeros", "missing"), [("rows", "unknown"), ("rows", "zero"), ("none", "zero")])
def test_a_series_that_sells_nothing_any_more_is_told_and_ends_where_the_spec_says_so(
    tmp_path: Path, zeros: str, missing: str
) -> None:
    text = as_rows(unsold(zeros))
    told = checked(tmp_path / "told", text, missing=missing)
    assert set(panel(told)["unique_id"]) == {"a", "b", "slow"}
    (said,) = fate_sentences(told.facts["check"])
    assert said.startswith(
        "1 series has sold nothing for longer than ever before, and is forecast as before (dataset.ended_when"
    )
    assert said.endswith("'b' (last sold 2024-02-09)")
    for after, left in (("21d", {"a", "b", "slow"}), ("20d", {"a", "slow"})):
        run = checked(tmp_path / after, text, missing=missing, ended_when="no-demand", ended_after=after)
        assert set(panel(run)["unique_id"]) == left
    assert fate_sentences(run.facts["check"]) == ("1 series ended, and has no forecast: 'b' (last sold 2024-02-09)",)
    assert find_fate(run.facts["check"], ["b"]) == fate_sentences(run.facts["check"])[0]


def test_a_series_that_never_sold_ends_after_its_first_row(tmp_path: Path) -> None:
    text = as_rows({"a": unsold()["a"], "b": dict.fromkeys(range(30, 60), 0)})
    for after, left in (("30d", {"a", "b"}), ("29d", {"a"})):
        run = checked(tmp_path / after, text, ended_when="no-demand", ended_after=after)
        assert set(panel(run)["unique_id"]) == left


def test_an_unsold_series_has_no_stock(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, dataset={"ended_when": "no-demand", "ended_after": "15d", "ended_series": "zero"})
    run.data(as_rows(unsold())).whole()
    stock = pd.read_parquet(run.files["inventory"]).set_index("shop")["order_up_to"]
    assert stock["b"] == 0
    assert stock["a"] > 0


@given(
    st.dictionaries(st.sampled_from("abc"), st.lists(st.sampled_from([0, 0, 0, 2]), min_size=1, max_size=60), min_size=1),
    st.integers(1, 20), st.booleans(),
)  # fmt: skip
def test_an_idle_series_has_sold_nothing_for_longer_than_a_horizon_and_than_ever(
    units: dict[str, list[int]], horizon: int, absent_is_zero: bool
) -> None:
    length = max(map(len, units.values()))
    grid = pd.date_range("2024-01-01", periods=length)
    rows = pd.DataFrame(
        [(name, grid[day], float(value)) for name, days in units.items() for day, value in enumerate(days)],
        columns=["unique_id", "ds", "y"],
    )  # fmt: skip
    rules = RowRules(horizon, absent_is_zero)
    idle = find_idle_series(rows, series_spans(rows, grid, rules), grid, rules)
    for name, last in idle.items():
        days = [*units[name], *([0] * (length - len(units[name])) if absent_is_zero else [])]
        runs = [len(run) for run in "".join("x" if value else "0" for value in days).strip("0").split("x")]
        assert not any(days[last + 1 :])
        assert len(days) - 1 - last > max(horizon, *runs, 0)


def test_series_that_lack_the_newest_period_are_limited_until_the_spec_says_what_an_ended_one_is(
    tmp_path: Path,
) -> None:
    limit = {"series": {"max_missing": 0.0}}
    text = as_rows(two(range(42), range(30)))
    refused = checked(tmp_path / "limit", text, checks=limit).facts["check"]
    (series,) = [check for check in refused["checks"] if check["check"] == "series"]
    assert not series["ok"]
    assert "dataset.ended_after" in series["message"]
    assert checked(tmp_path / "said", text, checks=limit, ended_after="10d").facts["check"]["ok"]


def test_new_series_and_series_without_a_value_are_told(tmp_path: Path) -> None:
    sales = two(range(42), range(40, 42)) | {"c": {41: None}}
    run = checked(tmp_path, as_rows(sales))
    assert fate_sentences(run.facts["check"]) == (
        "1 series has no value at all, and no forecast: 'c'",
        "1 series is new, so that most models repeat the last value: 'b' (since 2024-02-10)",
    )
    assert find_fate(run.facts["check"], ["c"]) == "1 series has no value at all, and no forecast: 'c'"
    assert find_fate(run.facts["check"], ["a"]) is None


def test_a_plan_of_known_covariates_need_not_cover_a_series_that_ended(tmp_path: Path) -> None:
    run = Pipeline(tmp_path).data(as_rows(two(range(42), range(30))).replace("units", "units,promo").replace("\n", ",1\n")
                                  .replace("promo,1", "promo"))  # fmt: skip
    run.data("shop,day,promo\na,2024-02-12,1\na,2024-02-13,0\n", "plan.csv")
    run.spec["dataset"] |= {
        "covariates": {"known": ["promo"], "past": [], "static": []}, "future": {"uri": "data/plan.csv"},
    }  # fmt: skip
    assert run.run("check", now=NOW)["ok"]


@pytest.mark.parametrize(("count", "said"), [
    (1, "1 series ended, and has no forecast: 's0' (last value 2024)"),
    (2, "2 series ended, and have no forecast: 's0' (last value 2024), 's1' (last value 2024)"),
    (5, "5 series ended, and have no forecast: 's0' (last value 2024), 's1' (last value 2024), 's2' (last value 2024) and 2 more"),
])  # fmt: skip
def test_a_sentence_names_the_first_series_and_counts_the_rest(count: int, said: str) -> None:
    series = [[f"s{number}", "2024"] for number in range(count)]
    assert fate_sentences({"fates": {"ended": {"count": count, "series": series}}}) == (said,)


def test_facts_of_an_older_mlspec_say_nothing() -> None:
    assert fate_sentences({}) == ()
    assert find_fate({"fates": None}, ["a"]) is None


def test_a_series_that_never_sold_anything_is_named(tmp_path: Path) -> None:
    sold: Sales = {"a": dict.fromkeys(range(42), 3), "b": dict.fromkeys(range(42), 0), "c": {41: 0}}
    said = (
        "1 series has never sold anything, and is forecast and stocked as others (dataset.ended_when can end it): 'b' "
    )
    assert f"{said}(since {START})" in fate_sentences(Pipeline(tmp_path).data(as_rows(sold)).check())
    header, *rows = as_rows(sold).split()
    text = "\n".join([f"{header},in_stock", *(f"{row},{int(row[0] == 'a')}" for row in rows), ""])
    (tmp_path / "available").mkdir()
    facts = Pipeline(tmp_path / "available", dataset={"available": "in_stock"}).data(text).check()
    assert facts["fates"]["never_sold"]["count"] == 0  # nobody knows what would have been sold


def test_an_absent_row_that_is_a_zero_is_no_sale_either(tmp_path: Path) -> None:
    sold: Sales = {"a": dict.fromkeys(range(42), 3), "b": {0: 0}, "c": {41: 0}}
    facts = Pipeline(tmp_path, dataset={"missing": "zero"}).data(as_rows(sold)).check()
    assert facts["fates"]["never_sold"] == {"count": 1, "series": [["b", str(START)]]}
