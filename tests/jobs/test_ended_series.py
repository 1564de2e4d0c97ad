"""A series that ended and is forecast as zero: the same rows whoever computes them, no stock, and no score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.jobs.panel_parts import read_panel_frame
from mlspec.plan.series_fates import fate_sentences, find_fate
from tests.examples import sales
from tests.jobs.pipeline import Pipeline
from tests.jobs.test_predictions import NAIVE, answered, asked, told, versions, written

ZERO = {"dataset": {"ended_series": "zero"}}


def with_ended(days: int = 60, ended: int = 30) -> str:
    """Shops that sell over all days, and shop 002, which stopped."""
    old = [line for line in sales(ended, ("001", "002")).splitlines() if line.startswith("002")]
    return "\n".join([sales(days, ("001", "NA")).strip(), *old, ""])


def rows_of(run: Pipeline, role: str, shop: str) -> pd.DataFrame:
    frame = pd.read_parquet(run.files[role])
    return frame[frame["shop"] == shop].reset_index(drop=True)


def test_mean_quantiles_and_stock_are_zero_and_the_rows_say_why(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, **ZERO).data(with_ended()).whole()
    ended = rows_of(run, "forecast", "002")
    assert list(ended["method"]) == ["ended", "ended"]
    assert (ended[["mean", "q0.1", "q0.5", "q0.9"]] == 0.0).all(axis=None)
    assert set(rows_of(run, "forecast", "001")["method"]) == {"model"}
    stock = rows_of(run, "inventory", "002").drop(columns="shop")
    assert (stock == 0.0).all(axis=None)
    assert (rows_of(run, "inventory", "001").drop(columns="shop") > 0.0).all(axis=None)
    assert run.facts["forecast"]["series"] == run.facts["inventory"]["series"] == 3


def test_data_of_which_every_series_has_ended_are_refused_and_say_why(tmp_path: Path) -> None:
    idle = [f"{shop},2024-02-{day:02},0" for shop in ("001", "NA") for day in range(12, 29)]
    run = Pipeline(tmp_path, dataset={"ended_when": "no-demand", "ended_after": "14d"})
    facts = run.data("\n".join([sales().strip(), *idle, ""])).check()
    (broken,) = [check for check in facts["checks"] if not check["ok"]]
    assert (broken["check"], broken["examples"]) == ("ended", ["001", "NA"])
    assert broken["message"] == "all 2 series have ended, as dataset.ended_after says: none is left to forecast"


def test_the_other_series_are_forecast_as_if_nothing_was_said(tmp_path: Path) -> None:
    runs = []
    for name, parts in (("said", ZERO), ("unsaid", {})):
        (tmp_path / name).mkdir()
        runs.append(Pipeline(tmp_path / name, **parts).data(with_ended()).whole())
    said, unsaid = (pd.read_parquet(run.files["forecast"]) for run in runs)
    assert "method" not in unsaid
    others = said[said["shop"] != "002"].drop(columns="method").reset_index(drop=True)
    pd.testing.assert_frame_equal(others, unsaid)
    assert runs[0].files["backtest"].read_bytes() == runs[1].files["backtest"].read_bytes()
    assert set(read_panel_frame(runs[0].files)["unique_id"]) == {"001", "NA"}


@pytest.mark.parametrize("traffic", [{"v1": 100}, {"v1": 40, "v2": 60}], ids=["one version", "a canary"])
def test_the_same_bytes_whoever_computed_them(tmp_path: Path, traffic: dict[str, int]) -> None:
    run = versions(tmp_path, with_ended(), [NAIVE, {"kind": "croston"}], **ZERO)
    usual = written(run, traffic=traffic)
    lines = answered(run, asked(run, traffic))
    assert sum('"method": "ended"' in line for line in lines) == 1
    told(run, lines)
    assert written(run, traffic=traffic) == usual


def test_a_static_column_of_an_ended_series_keeps_those_of_the_others_as_they_are(tmp_path: Path) -> None:
    sized = with_ended().replace("units", "units,size").replace("\n", ",7\n").replace("size,7", "size")
    run = Pipeline(tmp_path, dataset={**ZERO["dataset"], "covariates": {"known": [], "past": [], "static": ["size"]}})
    run.data(sized).whole()
    assert pd.read_parquet(run.files["series"])["x_size"].notna().all()
    assert len(rows_of(run, "forecast", "002")) == 2


@pytest.mark.parametrize(("after", "as_of", "has_zeros"), [
    (None, "2024-02-03T06:00:00Z", True),  # the last value is of 30 January, the horizon two days, the cutoff 2 February
    (None, "2024-02-02T06:00:00Z", False),
    ("12d", "2024-02-12T06:00:00Z", True),
    ("12d", "2024-02-11T06:00:00Z", False),
])  # fmt: skip
def test_a_forecast_for_a_past_moment_has_zeros_only_for_what_had_ended_then(
    tmp_path: Path, after: str | None, as_of: str, *, has_zeros: bool
) -> None:
    dataset = {**ZERO["dataset"], "ended_after": after}
    run = Pipeline(tmp_path, dataset=dataset).data(with_ended()).whole()
    run.run("forecast", version="v1", as_of=as_of)
    assert (len(rows_of(run, "forecast", "002")) > 0) is has_zeros
    run.run("inventory", as_of=as_of)
    assert (len(rows_of(run, "inventory", "002")) > 0) is has_zeros


def test_zeros_are_never_scored_also_if_the_series_comes_back(tmp_path: Path) -> None:
    alert = {"name": "accuracy", "metric": "wape", "above": 0.2, "window": 1}
    run = Pipeline(tmp_path, alerts=[alert], **ZERO).data(with_ended(42, 20)).whole()
    run.files["forecast-1"] = run.files["forecast"]
    for back in ("", "002,2024-02-12,50\n002,2024-02-13,50\n"):  # first it stays away, then it sells again
        text = with_ended(44, 20) + back
        run.spec["dataset"]["checks"]["completeness"] = {"min": 0.0}
        run.data(text).run("check", now="2024-02-14T00:00:00Z")
        facts = run.run("evaluate", now="2024-02-14T00:00:00Z")
        assert facts["periods"] == 2
        assert facts["metrics"]["wape"] < 0.2
        (measured,) = facts["alerts"]
        assert measured["segments"][""][0] < 0.2
    run.spec["dataset"]["ended_series"] = "no-forecast"  # what was forecast before stays as it is
    assert run.run("evaluate", now="2024-02-14T00:00:00Z")["metrics"]["wape"] < 0.2


@pytest.mark.parametrize("dataset", [{}, {"ended_after": "20d", "missing": "zero"}])
def test_it_is_said(tmp_path: Path, dataset: dict[str, Any]) -> None:
    run = Pipeline(tmp_path, dataset={**ZERO["dataset"], **dataset}).data(with_ended())
    run.check()
    said = "1 series ended, and is forecast as 0 without being scored: '002' (last value 2024-01-30)"
    assert fate_sentences(run.facts["check"]) == (said,)


def test_without_a_series_that_ended_nothing_is_added(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, **ZERO).data(sales()).whole()
    assert set(pd.read_parquet(run.files["forecast"])["method"]) == {"model"}
    assert find_fate(run.facts["check"], ["001"]) is None
