"""A period in which a series was not for sale says nothing of its demand: it is no zero, no gap, and no end of the series."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.forecast.backtest import forecast_means
from mlspec.forecast.candidates import fit_candidate
from mlspec.forecast.frame import AVAILABLE, Panel, horizon_frame
from mlspec.jobs.context import panel_layout
from mlspec.plan.series_fates import fate_sentences
from mlspec.spec.candidates import Candidate, GradientBoosting, Regression
from mlspec.spec.forecast import Forecast
from tests.jobs.pipeline import NOW, Pipeline

START = date(2024, 1, 1)  # a Monday
WEEK = (10, 20, 30, 40, 50, 80, 5)
OUT = range(20, 26)


def table(*, cells: tuple[str, str] = ("1", "0"), out: range = OUT, days: int = 42) -> str:
    """Shop a was out of stock for some days; shop b never. A row of a day without stock says 0."""
    lines = ["shop,day,units,stock"]
    for shop, factor in (("a", 1), ("b", 3)):
        for day in range(days):
            gone = shop == "a" and day in out
            units = 0 if gone else factor * WEEK[day % 7]
            lines.append(f"{shop},{START + timedelta(days=day)},{units},{cells[gone]}")
    return "\n".join([*lines, ""])


def checked(root: Path, text: str, **dataset: Any) -> Pipeline:
    root.mkdir(exist_ok=True)
    run = Pipeline(root, dataset={"available": "stock", **dataset}).data(text)
    run.check()
    return run


def panel(run: Pipeline) -> pd.DataFrame:
    parts = [pd.read_parquet(file) for role, file in sorted(run.files.items()) if role.startswith("panel")]
    return pd.concat(parts).sort_values(["unique_id", "ds"], ignore_index=True)


@pytest.mark.parametrize("cells", [("1", "0"), ("true", "false"), ("0.9", "0.4"), ("", "0")])
def test_a_period_without_stock_is_filled_never_scored_and_told(tmp_path: Path, cells: tuple[str, str]) -> None:
    run = checked(tmp_path, table(cells=cells))
    assert run.facts["check"]["ok"]
    assert run.facts["check"]["filled"] == len(OUT)
    told = "values of periods that were not for sale are neither learned from nor scored, as the demand is unknown (6; "
    assert any(told in sentence for sentence in fate_sentences(run.facts["check"]))
    frame = panel(run)
    hidden = frame[~frame["observed"]]
    assert list(hidden["unique_id"].unique()) == ["a"]
    assert list(hidden["y"]) == [WEEK[day % 7] for day in OUT]  # the week before
    run.run("backtest", incumbent=None)
    rows = pd.read_parquet(run.files["backtest"])
    assert rows["y"].notna().all()  # the backtest's windows have stock
    assert run.facts["backtest"]["metrics"]["wape"] == 0


@pytest.mark.parametrize("missing", ["unknown", "zero"])
def test_it_is_no_gap_and_no_end_of_the_series(tmp_path: Path, missing: str) -> None:
    run = checked(tmp_path, table(out=range(30, 42)), missing=missing, ended_after="5d")
    facts = run.facts["check"]
    assert facts["ok"], facts
    assert facts["missing_periods"] == 0
    assert facts["ended"]["count"] == 0
    assert facts["fates"]["idle"]["count"] == 0


def test_a_period_in_which_nothing_was_for_sale_anywhere_hides_no_gap_of_another_one(tmp_path: Path) -> None:
    sold = [
        line for line in table(days=36).splitlines() if line != f"b,{START + timedelta(days=12)},{3 * WEEK[12 % 7]},1"
    ]
    out = [f"{shop},{START + timedelta(days=day)},0,0" for shop in "ab" for day in range(36, 42)]
    facts = checked(tmp_path, "\n".join([*sold, *out, ""])).facts["check"]
    (gaps,) = [check for check in facts["checks"] if check["check"] == "gaps"]
    assert (gaps["ok"], gaps["count"], facts["missing_periods"]) == (False, 1, 1)
    assert facts["cutoff"] == str(START + timedelta(days=35))  # of the days after it no value is known yet


def test_without_the_key_the_same_rows_look_like_a_stock_out(tmp_path: Path) -> None:
    run = checked(tmp_path, table(), available=None)
    (sentence,) = run.facts["check"]["notes"]
    assert sentence.startswith("looks like a stock-out: 'a' sold nothing from 2024-01-21 to 2024-01-26 (6 periods)")
    assert "dataset.available" in sentence
    assert run.facts["check"]["stockouts"] == {"count": 1, "runs": [["a", "2024-01-21", "2024-01-26", 6]]}


def test_a_week_counts_if_half_of_its_days_had_stock(tmp_path: Path) -> None:
    few = checked(tmp_path / "few", table(out=range(21, 23)), aggregate="sum", frequency="W-SUN")
    assert few.facts["check"]["filled"] == 0
    assert any("for half of the time or longer, keep their values (1)" in note for note in few.facts["check"]["notes"])
    many = checked(tmp_path / "many", table(out=range(21, 26)), aggregate="sum", frequency="W-SUN")
    assert many.facts["check"]["filled"] == 1


def test_a_value_that_is_no_share_is_named_with_its_row(tmp_path: Path) -> None:
    run = checked(tmp_path, table(cells=("7", "0")))
    facts = run.facts["check"]
    assert not facts["ok"]
    assert "stock '7' is not a share from 0 to 1" in json.dumps(facts["checks"], ensure_ascii=False)


def test_a_period_is_judged_without_the_series_that_had_nothing_to_sell(tmp_path: Path) -> None:
    """Half of the series lack the newest periods: without stock no value will come, so that the others are scored."""
    first = checked(tmp_path, table(out=range(0), days=36))
    scores = first.run("backtest", incumbent=None)
    first.run("train", candidate=scores["champion_candidate"])
    first.run("forecast", version="v1")
    earlier = first.files["forecast"]
    first.data(table(out=range(36, 38)))
    first.check()
    first.files["forecast-1"] = earlier
    assert first.run("evaluate", now=NOW)["periods"] == 2
    first.spec["dataset"]["available"] = None
    first.data(table(out=range(36, 38)).replace(",0,0\n", ",,0\n"))
    first.spec["dataset"]["checks"]["completeness"] = {"min": 0.5}
    first.check()
    assert first.run("evaluate", now=NOW)["periods"] == 0


@pytest.mark.parametrize("candidate", [
    GradientBoosting(kind="gradient-boosting", lags=(1, 7), iterations=5),
    GradientBoosting(kind="gradient-boosting", library="lightgbm", lags=(1, 7), iterations=5),
    Regression(kind="regression"),
], ids=lambda candidate: f"{candidate.kind}-{getattr(candidate, 'library', '')}")  # fmt: skip
def test_no_candidate_learns_from_what_is_not_known_ahead(tmp_path: Path, candidate: Candidate) -> None:
    """The panel says which periods had stock; those of the horizon are not known, so that this is no feature."""
    run = checked(tmp_path, table())
    layout = panel_layout(Forecast.model_validate(run.spec))
    frame, series = panel(run), pd.read_parquet(run.files["series"])
    assert AVAILABLE in frame
    ahead = horizon_frame(Panel(frame, series, frame[:0], layout))
    means = [
        forecast_means(fit_candidate(candidate, known, 0), known, candidate.label)
        for known in (Panel(frame, series, ahead, layout), Panel(frame.drop(columns=AVAILABLE), series, ahead, layout))
    ]
    assert len(means[0]) == 2 * layout.horizon
    pd.testing.assert_frame_equal(*means, check_exact=True)


def filled_days(root: Path, covariates: dict[str, Any]) -> list[float]:
    """What stands in the days without stock of shop a, which sells three times as much in the week before them: a promotion."""
    lines = ["shop,day,units,stock,promo"]
    for day in range(42):
        promo = 14 <= day < 21
        gone = 21 <= day < 25
        lines.append(
            f"a,{START + timedelta(days=day)},{0 if gone else WEEK[day % 7] * (3 if promo else 1)},{int(not gone)},{int(promo)}"
        )
    plan = ["day,promo", *(f"{START + timedelta(days=day)},0" for day in range(42, 44))]
    root.mkdir()
    run = Pipeline(root, dataset={"available": "stock", **covariates}).data("\n".join([*lines, ""]))
    run.data("\n".join([*plan, ""]), "plan.csv").check()
    frame = panel(run)
    return list(frame.loc[~frame["observed"], "y"])


def test_a_stock_out_after_a_promotion_has_the_demand_of_a_week_without_it(tmp_path: Path) -> None:
    usual = [float(WEEK[day]) for day in range(4)]
    plan = {"covariates": {"known": ["promo"]}, "future": {"uri": "data/plan.csv"}}
    assert filled_days(tmp_path / "column", plan) == usual
    days = f"{START + timedelta(days=14)}/{START + timedelta(days=20)}"
    assert filled_days(tmp_path / "event", {"covariates": {"events": {"promotion": [days]}}}) == usual
    assert filled_days(tmp_path / "not-known", {}) == [
        3 * value for value in usual
    ]  # nobody says that it was a promotion
