"""What served is what is judged: each version by its own forecasts, and what a version in quarantine served no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.errors import UsageError
from mlspec.jobs.files import write_table
from mlspec.jobs.panel_parts import read_panel_frame
from mlspec.jobs.realised_errors import compare_errors
from mlspec.state.step import StepRequest
from tests.examples import sales
from tests.jobs.pipeline import NOW, Pipeline

ALERT = {"name": "accuracy", "metric": "wape", "above": 0.2, "window": 2, "for": "1 of 2"}
CUTOFF = pd.Timestamp("2024-02-11")


@pytest.fixture
def shop(tmp_path: Path) -> Pipeline:
    found = Pipeline(tmp_path, alerts=[ALERT]).data(sales(days=46))
    assert found.run("check", now="2024-02-17T00:00:00Z")["ok"]
    return found


def forecast(
    shop: Pipeline, role: str, version: str, cutoff: str, factor: float, series: tuple[str, ...] = ("001", "NA")
) -> None:
    """Give the step a forecast of four days by one version: `factor` times what came true."""
    panel = read_panel_frame(shop.files)
    names = pd.read_parquet(shop.files["series"])
    assert set(series) <= set(names["id_shop"])
    at = pd.Timestamp(cutoff)
    rows = panel[(panel["ds"] > at) & (panel["ds"] <= at + pd.Timedelta(days=4))].merge(names, on="unique_id")
    rows = rows[rows["id_shop"].isin(series)]
    out = pd.DataFrame({"shop": rows["id_shop"], "day": rows["ds"], "cutoff": at, "mean": rows["y"] * factor})
    out = out.assign(**dict.fromkeys(("q0.1", "q0.5", "q0.9"), out["mean"]), version=version)
    shop.files[role] = write_table(out, shop.root / f"{role}.parquet")


def judged(shop: Pipeline, **options: Any) -> dict[str, Any]:
    facts = shop.run("evaluate", now="2024-02-17T00:00:00Z", **options)
    (found,) = facts["alerts"]
    return {**found, "facts": facts}


def test_each_version_answers_for_what_it_served(shop: Pipeline) -> None:
    forecast(shop, "forecast-2", "v1", "2024-02-09", 1.1)
    forecast(shop, "forecast-1", "v2", "2024-02-11", 2.0)
    found = judged(shop, versions=["v1", "v2"])
    assert found["by_version"]["v2"][""][0] == pytest.approx(1.0)
    assert found["segments"][""][0] == pytest.approx(1.0)
    assert found["by_version"]["v1"][""] == [None, None]  # in the last windows the other one served


def test_what_a_version_in_quarantine_served_counts_no_more_and_nothing_takes_its_place(shop: Pipeline) -> None:
    forecast(shop, "forecast-2", "v1", "2024-02-09", 1.1)
    forecast(shop, "forecast-1", "v2", "2024-02-11", 2.0)
    found = judged(shop, versions=["v1"], quarantined=["v2"])
    assert found["facts"]["periods"] == 2  # v1's own days; its older forecast of v2's days was never served
    assert found["segments"][""][0] == pytest.approx(0.1)
    assert found["by_version"]["v1"][""][0] == pytest.approx(0.1)


def test_a_canary_answers_for_its_own_series_alone(shop: Pipeline) -> None:
    forecast(shop, "forecast-1", "v1", "2024-02-11", 1.0, ("001",))
    panel = pd.read_parquet(shop.files["forecast-1"])
    forecast(shop, "forecast-2", "v2", "2024-02-11", 3.0, ("NA",))
    both = pd.concat([panel, pd.read_parquet(shop.files.pop("forecast-2"))], ignore_index=True)
    shop.files["forecast-1"] = write_table(both, shop.root / "both.parquet")
    found = judged(shop, versions=["v1", "v2"])
    assert found["by_version"]["v1"][""][0] == pytest.approx(0.0)
    assert found["by_version"]["v2"][""][0] == pytest.approx(2.0)


def test_a_shadow_is_evidence_about_its_version_and_about_nothing_else(shop: Pipeline) -> None:
    forecast(shop, "forecast-1", "v1", "2024-02-11", 1.0)
    forecast(shop, "shadow-1", "v2", "2024-02-11", 2.0)
    found = judged(shop, versions=["v1", "v2"])
    assert found["segments"][""][0] == pytest.approx(0.0)
    assert found["by_version"]["v2"][""][0] == pytest.approx(1.0)


def test_of_two_forecasts_with_one_cutoff_the_later_one_served(shop: Pipeline) -> None:
    forecast(shop, "forecast-2", "v2", "2024-02-11", 3.0)
    forecast(shop, "forecast-1", "v1", "2024-02-11", 1.0)
    assert judged(shop, versions=["v1"])["segments"][""][0] == pytest.approx(0.0)


def test_a_forecast_from_before_a_change_of_quantiles_is_evaluated_too(shop: Pipeline) -> None:
    forecast(shop, "forecast-2", "v1", "2024-02-09", 1.1)
    older = pd.read_parquet(shop.files["forecast-2"]).drop(columns="q0.1")
    shop.files["forecast-2"] = write_table(older, shop.root / "older.parquet")
    forecast(shop, "forecast-1", "v1", "2024-02-11", 1.0)
    facts = judged(shop)["facts"]
    assert facts["periods"] == 6  # two days of the older one, and four of the newer one
    assert 0.03 < facts["by_horizon"][0]["metrics"]["wape"] < 0.07  # one day of each


def test_forecasts_of_other_quantiles_alone_are_evaluated_by_their_means(shop: Pipeline) -> None:
    """As they are where the gate keeps the version with the new quantiles out."""
    candidate = shop.run("backtest", incumbent=None)
    assert candidate["champion"] == "seasonal-naive"
    shop.files["backtest-v1"] = shop.files["backtest"]
    forecast(shop, "forecast-1", "v1", "2024-02-11", 1.1)
    shop.spec["model"]["quantiles"] = [0.2, 0.8]
    shop.spec["alerts"] = [{**ALERT, "false_alarms_per_year": 1}]
    facts = judged(shop, versions=["v1"])["facts"]
    assert facts["metrics"]["wape"] == pytest.approx(0.1)
    assert (facts["metrics"]["coverage"], facts["metrics"]["pinball"]) == (None, None)


def test_another_version_is_measured_on_the_very_rows_that_the_first_one_forecast(shop: Pipeline) -> None:
    forecast(shop, "forecast-2", "v1", "2024-02-09", 2.0)
    forecast(shop, "forecast-1", "v1", "2024-02-11", 2.0, ("001",))
    parts = []
    for cutoff, factor in (("2024-02-05", 9.0), ("2024-02-09", 1.2), ("2024-02-11", 1.3)):
        forecast(shop, "instead", "v2", cutoff, factor)
        parts.append(pd.read_parquet(shop.files["instead"]))
    shop.files["instead"] = write_table(pd.concat(parts, ignore_index=True), shop.root / "instead.parquet")
    found = judged(shop, versions=["v1"], instead={"v1": "v2"})
    assert found["made_at"]["v1"] == ["2024-02-09", "2024-02-11"] == found["made_at"]["v2"]
    values = found["by_version"]["v2"][""]
    assert values[0] == pytest.approx(0.3)
    assert 0.2 < values[1] < 0.3  # both cutoffs, and nothing of the one from which v1 forecast nothing
    assert found["by_version"]["v1"][""][0] == pytest.approx(1.0)


def test_a_version_in_place_of_itself_would_have_done_as_it_did(shop: Pipeline) -> None:
    champion = shop.run("backtest", incumbent=None)["champion_candidate"]
    shop.run("train", candidate=champion)
    shop.run("forecast", version="v1", cutoffs=["2024-02-07", "2024-02-11"])
    shop.files["forecast-1"] = shop.files["forecast"]
    again = shop.run("forecast", version="v2", cutoffs=["2024-02-07", "2024-02-11"])
    assert again == {"rows": 2 * 2 * shop.spec["model"]["horizon"]}
    shop.files["instead"] = shop.files["forecast"]
    found = judged(shop, versions=["v1"], instead={"v1": "v2"})["by_version"]
    assert found["v1"] == found["v2"]
    assert found["v1"][""][0] is not None


def test_what_is_forecast_from_an_earlier_cutoff_is_what_was_forecast_there(tmp_path: Path) -> None:
    then, now = (Pipeline(folder, alerts=[ALERT]) for folder in (tmp_path / "then", tmp_path / "now"))
    for shop, days in ((then, 42), (now, 46)):
        shop.root.mkdir()
        shop.data(sales(days=days)).run("check", now="2024-02-17T00:00:00Z")
    then.run("train", candidate=then.run("backtest", incumbent=None)["champion_candidate"])
    made = then.run("forecast", version="v1")
    before = pd.read_parquet(then.files["forecast"])
    now.files |= {role: then.files[role] for role in ("model", "backtest")}
    now.run("forecast", version="v1", cutoffs=[made["cutoff"]])
    pd.testing.assert_frame_equal(pd.read_parquet(now.files["forecast"]), before)


def test_the_tenth_forecast_is_older_than_the_second(shop: Pipeline) -> None:
    forecast(shop, "forecast-10", "v2", "2024-02-11", 3.0)
    forecast(shop, "forecast-2", "v1", "2024-02-11", 1.0)
    assert judged(shop, versions=["v1"])["segments"][""][0] == pytest.approx(0.0)


def test_errors_are_told_by_how_far_ahead_they_were_made(shop: Pipeline) -> None:
    forecast(shop, "forecast-1", "v1", "2024-02-11", 1.5)
    steps = {each["step"]: each["metrics"]["wape"] for each in judged(shop)["facts"]["by_horizon"]}
    assert set(steps) == {1, 2}  # the horizon of the spec
    assert steps[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("metric", "value"), [("volume", 1.0), ("new_series", 0.0), ("vanished_series", 0.0), ("psi", None)]
)
def test_the_data_itself_is_measured(shop: Pipeline, metric: str, value: float | None) -> None:
    side = {"below": 0.5} if metric == "volume" else {"above": 0.5}
    shop.spec["alerts"] = [{"name": "it", "metric": metric, **side}]
    assert judged(shop)["segments"] == {"": [value]}


def test_series_without_a_static_value_are_a_segment_too(tmp_path: Path) -> None:
    head, *rows = sales().splitlines()
    named = {"001": "north", "NA": ""}
    run = Pipeline(tmp_path, dataset={"covariates": {"known": [], "past": [], "static": ["region"]}})
    run.data("\n".join([f"{head},region", *(f"{line},{named[line.split(',')[0]]}" for line in rows), ""]))
    run.check()
    candidate = run.run("backtest", incumbent=None)["champion"]
    options = {"candidate": candidate, "now": NOW}
    request = StepRequest("evaluate", run.spec, tmp_path, tmp_path, dict(run.files), options)
    _columns, found = compare_errors(request, "segment", None)
    assert [(row["segment"], row["value"]) for row in found] == [
        ("shop", "001"), ("shop", "NA"), ("region", ""), ("region", "north"),
    ]  # fmt: skip


def test_one_series_has_no_segments(tmp_path: Path) -> None:
    run = Pipeline(tmp_path, dataset={"series": []}).data(sales(shops=("001",)))
    run.check()
    request = StepRequest("evaluate", run.spec, tmp_path, tmp_path, dict(run.files), {"now": NOW})
    with pytest.raises(UsageError, match="demand is one series, without segments"):
        compare_errors(request, "segment", None)
