"""No candidate can see past its cutoff: whatever comes later changes no feature, and no forecast that was made before it."""

from __future__ import annotations

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mlspec.forecast.features import CategoryEncoder, feature_matrix
from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Layout, Panel
from mlspec.forecast.frequency import parse_frequency

DAYS = 24
LAYOUT = Layout(parse_frequency("D"), 3, 7, known=("x_promo",), past=("x_price",), static=("x_kind",))
numbers = st.lists(st.floats(-1e6, 1e6), min_size=2 * DAYS, max_size=2 * DAYS)


def panel(target: list[float], price: list[float]) -> Panel:
    dates = pd.date_range("2024-01-01", periods=DAYS, freq="D")
    frame = pd.DataFrame({ID: ["a"] * DAYS + ["b"] * DAYS, TIME: [*dates, *dates], TARGET: target, OBSERVED: True})
    frame = frame.assign(x_promo=[float(day % 5 == 0) for day in range(2 * DAYS)], x_price=price)
    ahead = LAYOUT.frequency.periods_after(dates[-1], LAYOUT.horizon)
    future = pd.DataFrame({ID: ["a"] * 3 + ["b"] * 3, TIME: [*ahead, *ahead], "x_promo": 0.0})
    return Panel(frame, pd.DataFrame({ID: ["a", "b"], "x_kind": ["k", "l"]}), future, LAYOUT)


@settings(max_examples=40)
@given(numbers, numbers, numbers, numbers, st.integers(10, DAYS - 1))
def test_what_comes_after_the_cutoff_changes_no_feature(
    target: list[float], price: list[float], other_target: list[float], other_price: list[float], day: int
) -> None:
    def later_changed(values: list[float], other: list[float]) -> list[float]:
        return [new if index % DAYS >= day else old for index, (old, new) in enumerate(zip(values, other, strict=True))]

    cutoff = pd.Timestamp("2024-01-01") + pd.Timedelta(days=day - 1)
    one = panel(target, price).known_at(cutoff)
    two = panel(later_changed(target, other_target), later_changed(price, other_price)).known_at(cutoff)
    assert one.cutoff == two.cutoff == cutoff
    for frame in ("history", "ahead"):
        mine, theirs = (getattr(feature_matrix(each, CategoryEncoder.from_panel(each)), frame) for each in (one, two))
        pd.testing.assert_frame_equal(mine, theirs)


def test_known_covariates_reach_over_the_horizon_and_past_ones_do_not() -> None:
    day = pd.Timestamp("2024-01-15")
    seen = feature_matrix(panel([1.0] * 2 * DAYS, [2.0] * 2 * DAYS).known_at(day), CategoryEncoder())
    assert "x_promo" in seen.ahead
    assert "x_price" not in seen.ahead
    assert sorted(seen.ahead[TIME].unique()) == list(LAYOUT.frequency.periods_after(day, LAYOUT.horizon))
