"""A product that never sold anything is not ordered because a pack or a minimum order is the least that can be ordered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlspec.forecast.stock.origins import past_forecasts
from tests.jobs.pipeline import Pipeline

DAYS = pd.date_range("2024-01-15", "2024-02-11")


def run(root: Path, zeros_until: int, **inventory: Any) -> Pipeline:
    """A shop that sells every day, and one that sells nothing before the day of that number."""
    rows = [
        f"{shop},{day:%Y-%m-%d},{(20 + number % 7 + number % 5) * (shop == 'old' or number >= zeros_until)}"
        for shop in ("new", "old")
        for number, day in enumerate(DAYS)
    ]
    return Pipeline(root, inventory=inventory).data("\n".join(["shop,day,units", *rows]) + "\n").whole()


@pytest.mark.parametrize("policy", ["(R,S)", "(s,S)"])
@pytest.mark.parametrize("terms", [{"pack_size": 12}, {"minimum_order": 48}])
def test_stock_levels_of_a_product_that_never_sold_are_zero(tmp_path: Path, policy: str, terms: dict[str, int]) -> None:
    pipeline = run(tmp_path, len(DAYS), policy=policy, **terms)
    stock = pd.read_parquet(pipeline.files["inventory"]).set_index("shop")
    assert stock.loc["new"].to_dict() == dict.fromkeys(stock, 0.0)
    assert (stock.loc["old"] > 0).all()


def test_a_product_has_no_levels_of_its_own_before_the_cutoff_at_which_it_had_sold(tmp_path: Path) -> None:
    pipeline = run(tmp_path, len(DAYS) - 3, pack_size=12)  # the first cutoff is four days before the newest day
    assert pd.read_parquet(pipeline.files["inventory"]).set_index("shop").loc["new", "order_up_to"] > 0
    backtest = pd.read_parquet(pipeline.files["backtest"])
    first_sale = pd.Series([DAYS[-3], DAYS[0]]).to_numpy()
    past = past_forecasts(backtest[backtest["champion"]], pd.Index(["new", "old"]), 2, first_sale)
    assert past.sold.tolist() == [False, True, True, True]
