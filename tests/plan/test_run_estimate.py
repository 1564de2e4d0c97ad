"""How long a run takes by the size of its data, and which candidates of `auto` are left out: by the size alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.forecast.auto import choose_candidates
from mlspec.forecast.facts import HistoryFacts
from mlspec.plan.run_estimate import CheckedSize, estimate_sentences, read_size, unknown_size_sentence
from mlspec.spec.auto_candidates import count_held_seasons
from mlspec.spec.candidate_costs import PanelSize, cannot_pay, estimate_cost
from mlspec.spec.candidates import AutoArima, AutoEts, Candidate, Ensemble, GradientBoosting, Theta
from mlspec.spec.forecast import Forecast
from tests.examples import forecast_spec

M5 = CheckedSize(30_490, 30_490 * 1_941, 1_941, 7, (7, 365.25))
SHOP = CheckedSize(12, 12 * 120, 120, 52, (52.18,))


def auto(**training: Any) -> Forecast:
    model = {"horizon": 28, "candidates": "auto", "backtest": {"windows": 3, "step": 28}}
    return forecast_spec(model=model, training=training, dataset={"covariates": {"known": ["promo"]}})


def facts(size: CheckedSize, windows: int = 3) -> HistoryFacts:
    """What the backtest of `auto` knows of such a history, whose series are all as long."""
    length = size.times - 28 * windows  # at the first cutoff
    return HistoryFacts(
        series=size.series, length=length, season=size.season, intermittent=0.5, rows=10_000, known=True,
        seasons=count_held_seasons(length, size.seasons), size=PanelSize(size.series, size.periods, windows),
    )  # fmt: skip


def test_a_shop_has_all_candidates_and_a_plan_says_nothing_of_its_seconds() -> None:
    assert estimate_sentences(auto(), SHOP, 2) == ()
    kinds = {candidate.kind for candidate in choose_candidates(facts(SHOP)).candidates}
    assert {"auto-ets", "auto-ces", "theta", "regression", "gradient-boosting", "ensemble"} <= kinds


def test_at_the_size_of_m5_what_fits_each_series_slowly_is_left_out_and_said_with_its_time() -> None:
    took, *left_out = estimate_sentences(auto(), M5, 2)
    assert took.startswith(
        "backtest and training take about 43 min of one processor, 22 min with 2 processors, and 2.5 GiB"
    )
    assert took.endswith("30,490 series, 59,181,090 periods, 3 windows")
    assert [sentence.split(":")[0] for sentence in left_out] == [
        "no auto-ets",
        "no auto-ces",
        "no theta",
        "no mstl",
        "no regression",
    ]
    assert left_out[0] == (
        "no auto-ets: its backtest would take about 13.6 h of one processor, with 30,490 series, 59,181,090 periods and 3 windows; "
        "`auto` gives it 1 h"
    )


def left_out_of(sentences: Sequence[str]) -> list[str]:
    return [sentence for sentence in sentences if sentence.startswith("no ")]


@given(st.integers(1, 5_000_000), st.integers(120, 3_000))
def test_the_plan_says_the_same_of_what_is_left_out_as_the_backtest_at_any_size(series: int, length: int) -> None:
    size = CheckedSize(series, series * length, length, 7, (7, 365.25))
    assert left_out_of(estimate_sentences(auto(), size, 2)) == left_out_of(choose_candidates(facts(size)).reasons)


def test_at_the_size_of_m5_fast_candidates_and_trees_are_left() -> None:
    chosen = choose_candidates(facts(M5))
    assert [candidate.kind for candidate in chosen.candidates] == [
        "seasonal-naive", "croston", "croston", "gradient-boosting", "ensemble",
    ]  # fmt: skip


def test_a_candidate_that_the_spec_names_is_kept_and_said_to_be_slow() -> None:
    model = {"horizon": 28, "candidates": [{"kind": "seasonal-naive"}, {"kind": "theta", "name": "mine"}]}
    took, slow = estimate_sentences(forecast_spec(model=model), M5, 1)
    assert took.startswith("backtest and training take about")
    assert slow.startswith("mine is named in the spec and takes about")
    assert slow.endswith("of one processor; `auto` would give it 1 h")


def test_trees_that_a_cluster_learns_together_are_never_too_large() -> None:
    large = CheckedSize(600_000, 600_000 * 1_941, 1_941, 7, (7,))
    alone, together = (
        estimate_sentences(auto(), large, 2),
        estimate_sentences(auto(engine="ray", address="ray://head:10001"), large, 2),
    )
    assert any(sentence.startswith("no gradient-boosting") for sentence in alone)
    assert not any(sentence.startswith("no gradient-boosting") for sentence in together)
    assert not any("with 2 processors" in sentence for sentence in together)
    assert "gradient-boosting" not in [candidate.kind for candidate in choose_candidates(facts(large)).candidates]
    assert "gradient-boosting" in [
        candidate.kind for candidate in choose_candidates(facts(large), distributed=True).candidates
    ]


@pytest.mark.parametrize("broken", [None, "large", {}, {"series": 3},
                                    {"series": 0, "periods": 1, "times": 1, "season": 1, "seasons": []},
                                    {"series": 1, "periods": "many", "times": 1, "season": 1, "seasons": []}])  # fmt: skip
def test_a_record_without_a_size_gives_no_estimate(broken: Any) -> None:
    assert read_size(broken) is None


def test_of_a_large_source_that_was_not_checked_the_plan_says_when_it_will_be_known() -> None:
    (sentence,) = unknown_size_sentence(2 * 10**9)
    assert sentence.startswith("its source has 1.9 GiB, and was not checked yet")
    assert unknown_size_sentence(10**6) == ()


def test_a_history_too_short_for_a_backtest_gives_no_estimate() -> None:
    assert estimate_sentences(auto(), CheckedSize(30_000, 300_000, 10, 7, (7,)), 2) == ()


KINDS: tuple[Candidate, ...] = (
    Theta(kind="theta"), AutoEts(kind="auto-ets"), AutoArima(kind="auto-arima"), GradientBoosting(kind="gradient-boosting"),
)  # fmt: skip


@given(st.sampled_from(KINDS), st.integers(1, 10**6), st.integers(2, 3_000), st.integers(1, 20))
def test_more_series_or_windows_never_bring_a_candidate_back(
    candidate: Candidate, series: int, length: int, windows: int
) -> None:
    size, larger = PanelSize(series, series * length, windows), PanelSize(2 * series, 2 * series * length, windows)
    more = PanelSize(series, series * length, windows + 1)
    assert not cannot_pay(candidate, size) or (cannot_pay(candidate, larger) and cannot_pay(candidate, more))
    small, large = estimate_cost(candidate, size), estimate_cost(candidate, larger)
    assert small is not None
    assert large is not None
    if isinstance(candidate, GradientBoosting):  # above a size they learn from a sample
        assert small.backtest < large.backtest <= 2 * small.backtest * (1 + 1e-9)
    else:
        assert large.backtest == pytest.approx(2 * small.backtest)


def test_an_ensemble_costs_nothing_itself() -> None:
    assert estimate_cost(Ensemble(kind="ensemble"), PanelSize(1, 1, 1)) is None


def test_the_memory_of_many_short_series_is_that_of_their_forecasts() -> None:
    """Measured: 3.7 GiB for a backtest of 304,900 series and one window, by seasonal naive and theta."""
    size = CheckedSize(304_900, 304_900 * 112, 112, 7, (7, 365.25))
    listed = [{"kind": "seasonal-naive"}, {"kind": "theta"}]
    spec = forecast_spec(model={"horizon": 28, "candidates": listed, "backtest": {"windows": 1, "step": 28}})
    (took,) = estimate_sentences(spec, size, None)
    assert "and 3.3 GiB of memory: 304,900 series" in took
