"""A plan of known covariates with some of its values changed."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.errors import UsageError
from mlspec.forecast.changed_plan import PlanChange, PlanChanges, change_plan
from mlspec.forecast.frame import Layout, Panel
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.stored_panel import StoredPanel
from tests.forecast.test_stored_panel import WHOLE, deal

DAYS = pd.date_range("2024-01-01", periods=10)
PRICE = [8.0, 9.0, 10.0, 11.0, 12.0] * 2


def panel() -> Panel:
    """Two series with a price and a campaign; the last three days are the horizon."""
    rows = pd.concat([
        pd.DataFrame({"unique_id": name, "ds": DAYS, "x_price": PRICE, "x_campaign": ["none", "tv"] * 5}) for name in ("a", "b")
    ])  # fmt: skip
    layout = Layout(parse_frequency("D"), 3, 7, ("x_price", "x_campaign"))
    past = (rows["ds"] <= DAYS[6]).to_numpy()
    history = rows[past].assign(y=1.0, observed=True).reset_index(drop=True)
    return Panel(history, pd.DataFrame({"unique_id": ["a", "b"]}), rows[~past].reset_index(drop=True), layout)


def changed(column: str, value: str, **narrow: object) -> tuple[pd.DataFrame, tuple[str, ...]]:
    found, notes = change_plan(panel(), PlanChanges((PlanChange(column, value),), **narrow))  # type: ignore[arg-type]
    return found.future, notes


@given(
    ids=st.sets(st.sampled_from(["a", "b"]), min_size=1), first=st.integers(7, 9), length=st.integers(0, 2),
    value=st.sampled_from(["8.5", "-10%", "+0%"]),
)  # fmt: skip
def test_what_is_named_is_changed_and_nothing_else(ids: set[str], first: int, length: int, value: str) -> None:
    last = min(first + length, 9)
    after, _ = changed("price", value, ids=frozenset(ids), first=DAYS[first], last=DAYS[last])
    before = panel().future
    named = before["unique_id"].isin(ids) & before["ds"].between(DAYS[first], DAYS[last])
    expected = before["x_price"] * (0.9 if value == "-10%" else 1.0) if "%" in value else before["x_price"] * 0 + 8.5
    pd.testing.assert_series_equal(after["x_price"][named], expected[named])
    pd.testing.assert_frame_equal(after[~named], before[~named])
    pd.testing.assert_frame_equal(after.drop(columns="x_price"), before.drop(columns="x_price"))


def test_a_text_is_one_that_the_history_has() -> None:
    after, notes = changed("campaign", "tv")
    assert (set(after["x_campaign"]), notes) == ({"tv"}, ())
    with pytest.raises(UsageError, match="'radio' is no value of 'campaign' in the history") as refused:
        changed("campaign", "radio")
    assert refused.value.hint == "known: none, tv"


@pytest.mark.parametrize(("value", "note"), [
    ("20", "price was 8 to 12 in the history, and is 20 here: mlspec's models take it for the nearest that they know"),
    ("+100%", "price was 8 to 12 in the history, and is 22 to 24 here: mlspec's models take it for the nearest that they know"),
])  # fmt: skip
def test_what_no_model_has_seen_is_said(value: str, note: str) -> None:
    assert changed("price", value, first=DAYS[8])[1] == (note,)


@pytest.mark.parametrize(("column", "value", "message", "hint"), [
    ("promo", "1", "'promo' is no known covariate of this forecast", "known: price, campaign"),
    ("pric", "1", "'pric' is no known covariate of this forecast", "did you mean 'price'?"),
    ("price", "9,90", "'9,90' is no value of 'price'", "write a number, such as 9.90, or a share: -10%"),
    ("price", "nan", "'nan' is no value of 'price'", "write a number, such as 9.90, or a share: -10%"),
    ("price", "10%", "'10%' is no value of 'price'", "write a number, such as 9.90, or a share: -10%"),
])  # fmt: skip
def test_what_cannot_be_assumed_is_refused(column: str, value: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        changed(column, value)
    assert (refused.value.message, refused.value.hint) == (message, hint)


def test_a_day_outside_of_the_forecast_is_refused_with_its_periods() -> None:
    with pytest.raises(UsageError, match="no period of the forecast is changed") as refused:
        changed("price", "9", first=pd.Timestamp("2024-02-01"))
    assert refused.value.hint == "its periods are 2024-01-08 to 2024-01-10"


@pytest.mark.parametrize(
    ("column", "value"), [("promo", "none"), ("promo", "gone"), ("price", "12"), ("price", "+50%")]
)
def test_a_panel_in_parts_is_changed_as_a_whole_one(column: str, value: str) -> None:
    def outcome(which: Panel | StoredPanel) -> tuple[str, tuple[str, ...]]:
        try:
            after, notes = change_plan(which, PlanChanges((PlanChange(column, value),)))
        except UsageError as error:
            return f"{error.message}: {error.hint}", ()
        return after.future.to_csv(), notes

    layout = replace(WHOLE.layout, known=("x_promo", "x_price"))
    whole = replace(WHOLE, layout=layout, future=WHOLE.future.assign(x_price=2.0))
    parted = deal(whole, 4)
    assert len(parted.readers) > 1
    assert outcome(parted) == outcome(whole)
