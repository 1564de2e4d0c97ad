"""Who becomes champion: the best by the spec's metric, or, with `auto`, the median of all unless another one is surely better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlspec.errors import ModelError
from mlspec.forecast.backtest import NEAR_BEST, Entrant, entrant_means, pick_best
from mlspec.forecast.candidates import ChosenCandidate, choose_members
from mlspec.forecast.frame import CANDIDATE, CUTOFF, ID, MEAN, OBSERVED, TARGET, TIME, Layout, Panel, horizon_frame
from mlspec.forecast.frequency import parse_frequency
from mlspec.forecast.paired_test import PairedTest
from mlspec.forecast.quantiles import RAW
from mlspec.forecast.scales import SCALE
from mlspec.forecast.selection import Competitors, choose_champion, choose_metric, gather_competitors
from mlspec.forecast.workers import THIS_PROCESS
from mlspec.spec.candidates import SeasonalNaive, Theta
from mlspec.spec.forecast import Backtest, Model
from tests.forecast.entrants import as_forecasts

NAIVE, THETA = SeasonalNaive(kind="seasonal-naive"), Theta(kind="theta")
MEDIAN = Entrant("median", "ensemble", (NAIVE, THETA), combine="median")
SINGLE = Entrant("theta", "theta", (THETA,))


def rows(gain: float, noise: float, *, series: int = 10, windows: int = 4, unlike: float = 0.0) -> pd.DataFrame:
    """Rows of both entrants: theta's errors are smaller by `gain` on average, with chance in it, and by `unlike` in one window."""
    chance = np.random.default_rng(5)
    parts = []
    for cutoff in range(windows):
        for place in range(series):
            better = gain + noise * chance.normal() + unlike * (cutoff == 0)
            for label, error in (("median", 10.0), ("theta", 10.0 - better)):
                parts.append((label, f"s{place}", cutoff, 100.0, 100.0 - error, 1.0))
    return pd.DataFrame(parts, columns=[CANDIDATE, ID, CUTOFF, TARGET, MEAN, SCALE])


def champion(table: pd.DataFrame, preferred: str | None, level: float | None = 0.05) -> str:
    scores = {
        label: {"wape": float((part[TARGET] - part[MEAN]).abs().sum())} for label, part in table.groupby(CANDIDATE)
    }
    competitors = Competitors((SINGLE, MEDIAN), SINGLE, None, preferred=preferred)
    return choose_champion(competitors, scores, as_forecasts(table), PairedTest(level=level)).label  # type: ignore[arg-type]


def test_a_candidate_that_is_better_by_chance_does_not_replace_the_median() -> None:
    table = rows(gain=0.3, noise=4.0)
    assert champion(table, "median") == "median"
    assert champion(table, None) in ("theta", "median")


def test_one_that_is_surely_better_does() -> None:
    assert champion(rows(gain=2.0, noise=1.0), "median") == "theta"


def test_one_that_is_worse_never_does() -> None:
    assert champion(rows(gain=-2.0, noise=1.0), "median") == "median"


def test_where_a_spec_lists_candidates_the_best_is_champion() -> None:
    assert champion(rows(gain=0.5, noise=0.0), None) == "theta"


def unlike_series(better: float, *, windows: int = 4) -> pd.DataFrame:
    """Rows of two series: theta is better on the large one by a share of the error, in each window, and worse on the small one."""
    parts = []
    for cutoff in range(windows):
        for label, large in (("median", 1000.0), ("theta", 1000.0 * (1 - better))):
            parts.append((label, "large", cutoff, 0.0, large, 1000.0))
            parts.append((label, "small", cutoff, 0.0, 1.0 + (label == "theta"), 1.0))
    return pd.DataFrame(parts, columns=[CANDIDATE, ID, CUTOFF, TARGET, MEAN, SCALE])


def test_one_that_is_clearly_better_in_each_of_four_windows_does_too() -> None:
    assert champion(unlike_series(0.3), "median") == "theta"
    assert champion(unlike_series(0.05), "median") == "median"
    assert champion(unlike_series(0.3, windows=3), "median") == "median"


def test_one_window_is_not_enough_whatever_it_was_better_by() -> None:
    assert not PairedTest().is_surely_better(as_forecasts(rows(gain=-0.1, noise=0.01, unlike=8.0)), "theta", "median")


def test_what_all_series_share_in_a_window_counts_once_however_many_they_are() -> None:
    """A model that is a little better in three windows, and worse in one where all series met the same event."""
    table = rows(gain=1.0, noise=0.1, series=200, unlike=-3.0)
    assert (table[TARGET] - table[MEAN]).groupby(table[CANDIDATE]).mean().idxmin() == "theta"
    assert not PairedTest().is_surely_better(as_forecasts(table), "theta", "median")


@pytest.mark.parametrize(("won", "windows", "surely"), [
    (3, 3, False), (4, 4, True), (4, 5, False), (5, 6, False), (6, 7, True), (5, 7, False), (7, 8, True), (10, 14, False),
    (11, 14, True), (0, 1, False),
])  # fmt: skip
def test_so_many_windows_are_won_by_chance_about_as_seldom_as_the_level_says(
    won: int, windows: int, surely: bool
) -> None:
    """The second test alone: the gains of the windows differ so much that their mean is not sure."""
    table = pd.concat(
        rows(gain=9.0 / 2.5**place if place < won else -0.01, noise=0.0, series=1, windows=1).assign(**{CUTOFF: place})
        for place in range(windows)
    )
    assert PairedTest().is_surely_better(as_forecasts(table), "theta", "median") == surely


def test_the_level_says_how_sure_a_gain_has_to_be() -> None:
    table = rows(gain=2.0, noise=3.0)
    assert [
        PairedTest(level=level).is_surely_better(as_forecasts(table), "theta", "median") for level in (0.4, 0.05, 1e-6)
    ] == [
        True,
        True,
        False,
    ]
    by_chance = rows(gain=0.3, noise=4.0)
    assert champion(by_chance, "median", level=None) == champion(by_chance, None)


def test_squared_errors_do_not_forgive_what_absolute_ones_do() -> None:
    """Theta is nearer in most rows, and far off in a few."""
    table = rows(gain=4.0, noise=0.0)
    table.loc[(table[CANDIDATE] == "theta") & (table[ID] == "s0"), MEAN] = 70.0
    assert PairedTest("wape", level=0.2).is_surely_better(as_forecasts(table), "theta", "median")
    assert not PairedTest("rmsse", level=0.2).is_surely_better(as_forecasts(table), "theta", "median")


def test_quantiles_are_compared_by_their_own_losses() -> None:
    table = rows(gain=-5.0, noise=0.0)  # the mean of theta is farther off
    table[["q0.1", "q0.9"]] = np.c_[table[MEAN] - 1, table[MEAN] + 1]
    table.loc[table[CANDIDATE] == "theta", "q0.9"] = 100.0
    assert PairedTest("wape").is_surely_better(as_forecasts(table), "median", "theta")
    assert PairedTest("pinball", (0.1, 0.9)).is_surely_better(as_forecasts(table), "theta", "median")


def test_a_model_that_missed_a_jump_does_not_win_by_what_later_windows_told() -> None:
    """Its own mean is far off in each window, and is corrected by the others: it would not have been at that time."""
    table = rows(gain=5.0, noise=0.0)
    table[RAW] = table[MEAN]
    table.loc[table[CANDIDATE] == "theta", RAW] = 60.0
    assert not PairedTest().is_surely_better(as_forecasts(table), "theta", "median")
    assert PairedTest().is_surely_better(as_forecasts(table.drop(columns=RAW)), "theta", "median")


def preferred(serves: ChosenCandidate | None, model: Model) -> str | None:
    return gather_competitors(demand([5.0, 6.0, 4.0, 7.0] * 20), model, serves, THIS_PROCESS).preferred


def test_what_serves_stays_unless_another_is_surely_better() -> None:
    other, automatic = Theta(kind="theta", name="other"), Model(horizon=2)
    listed = Model(horizon=2, candidates=(NAIVE, THETA, other))
    assert preferred(ChosenCandidate(THETA), listed) == "theta"
    assert preferred(ChosenCandidate(other), listed) == "other"
    assert preferred(ChosenCandidate(THETA), automatic) == "theta"
    assert preferred(choose_members("median", "median", (NAIVE, THETA)), automatic) == "median"


def changes_by_noise(trials: int, rivals: int, *, serves: bool) -> int:
    """In how many trials a candidate is replaced by one of its rivals, where all are equally good: all errors are chance alone."""
    chance, changes = np.random.default_rng(3), 0
    names = ["median", *(f"theta{place}" for place in range(rivals))]
    entrants = tuple(replace(SINGLE, label=name) for name in names)
    competitors = Competitors(entrants, SINGLE, None, preferred="median", preferred_serves=serves)
    keys = pd.MultiIndex.from_product([names, ["s0", "s1"], range(8)], names=[CANDIDATE, ID, CUTOFF]).to_frame(
        index=False
    )
    for _ in range(trials):
        table = keys.assign(**{TARGET: 0.0, MEAN: np.exp(0.3 * chance.normal(size=len(keys))), SCALE: 1.0})
        scores = {name: {"wape": float(part[MEAN].sum())} for name, part in table.groupby(CANDIDATE)}
        changes += choose_champion(competitors, scores, as_forecasts(table), PairedTest()).label != "median"  # type: ignore[arg-type]
    return changes


def test_noise_replaces_what_serves_as_seldom_as_the_level_says_however_many_rivals_it_has() -> None:
    """At 5 %, of 60 trials 3 on average, and more than 6 of them once in 40. The median of `auto`, which does not serve yet, gives
    way more readily: the level is then that of one comparison."""
    assert changes_by_noise(60, rivals=8, serves=True) <= 6
    assert changes_by_noise(60, rivals=8, serves=False) > 6


def test_the_level_is_shared_by_the_rivals_of_what_serves() -> None:
    assert PairedTest(level=0.06).divide_level(3) == PairedTest(level=0.02)
    assert PairedTest(level=None).divide_level(3) == PairedTest(level=None)
    listed = Model(horizon=2, candidates=(NAIVE, THETA))
    panel = demand([5.0, 6.0, 4.0, 7.0] * 20)
    gathered = [
        gather_competitors(panel, model, serves, THIS_PROCESS)
        for model in (listed, Model(horizon=2))
        for serves in (None, ChosenCandidate(THETA), ChosenCandidate(NAIVE))
    ]
    assert [competitors.preferred_serves for competitors in gathered] == [False, True, False] * 2


def test_what_is_no_candidate_any_more_and_the_baseline_do_not_stay() -> None:
    listed = Model(horizon=2, candidates=(NAIVE, THETA))
    assert preferred(None, listed) is None
    assert preferred(ChosenCandidate(Theta(kind="theta", name="gone")), listed) is None
    assert preferred(ChosenCandidate(NAIVE), listed) is None
    assert preferred(ChosenCandidate(NAIVE), Model(horizon=2)) == "median"


def test_without_a_level_nothing_stays() -> None:
    model = Model(horizon=2, candidates=(NAIVE, THETA), backtest=Backtest(level=None))
    assert preferred(ChosenCandidate(THETA), model) is None


def test_without_a_value_of_the_metric_there_is_no_champion() -> None:
    competitors = Competitors((SINGLE, MEDIAN), SINGLE, None, preferred="median")
    unscored = {"theta": {"wape": None}, "median": {"wape": None}}
    with pytest.raises(ModelError, match="no candidate can be ranked by wape"):
        choose_champion(competitors, unscored, as_forecasts(rows(1, 1)), PairedTest())  # type: ignore[arg-type]


def demand(values: list[float]) -> Panel:
    frame = pd.DataFrame({
        ID: "s", TIME: pd.date_range("2024-01-01", periods=len(values)), TARGET: values, OBSERVED: True,
    })  # fmt: skip
    bare = Panel(frame, pd.DataFrame({ID: ["s"]}), frame[[ID, TIME]][:0], Layout(parse_frequency("D"), 2, 7))
    return Panel(frame, bare.series, horizon_frame(bare), bare.layout)


def test_intermittent_demand_is_ranked_by_squared_errors_under_auto_and_it_is_said() -> None:
    seldom, daily = demand([0.0, 0.0, 0.0, 5.0] * 10), demand([5.0, 6.0] * 20)
    automatic = Model(horizon=2)
    metric, why = choose_metric(automatic, seldom)
    assert metric == "rmsse"
    assert why.startswith("candidates are ranked by RMSSE: 100% of the series have intermittent demand")
    assert choose_metric(automatic, daily) == ("wape", "")
    assert choose_metric(Model(horizon=2, candidates=(THETA,)), seldom) == ("wape", "")
    assert choose_metric(Model(horizon=2, backtest=Backtest(metric="mase")), seldom) == ("mase", "")


def window_means(**errors: tuple[float, float]) -> pd.DataFrame:
    """Rows of two windows with a column of means for each candidate, off by so much in the first and in the second."""
    frame = pd.DataFrame({ID: ["a", "b"] * 2, CUTOFF: [1, 1, 2, 2], TARGET: 100.0})
    return frame.assign(
        **{f"{{{name}": [100 + first] * 2 + [100 + second] * 2 for name, (first, second) in errors.items()}
    )


def by_absolute_error(table: pd.DataFrame) -> float:
    return float((table[TARGET] - table[MEAN]).abs().sum())


def test_near_the_best_is_whose_error_is_at_most_half_again_that_of_the_best() -> None:
    table = window_means(near=(10.0, 10.0), limit=(15.0, 15.0), far=(15.1, 15.1))
    assert pick_best(table, table, ["{near", "{limit", "{far"], NEAR_BEST, by_absolute_error) == ["{near", "{limit"]


def test_members_near_the_best_are_chosen_by_the_windows_before() -> None:
    """In the first window all of them count; what is far off in the second alone is still a member there."""
    entrant = Entrant("median", "ensemble", (NAIVE, THETA, THETA), NEAR_BEST, combine="median")
    table = window_means(good=(1.0, 1.0), fair=(1.0, 90.0), far=(9.0, 1.0))
    made = entrant_means(entrant, table, table, ["{good", "{fair", "{far"], by_absolute_error)
    assert list(made[MEAN]) == [101.0, 101.0, 145.5, 145.5]


def test_a_perfect_candidate_leaves_the_others_out() -> None:
    table = window_means(perfect=(0.0, 0.0), good=(0.1, 0.1))
    assert pick_best(table, table, ["{perfect", "{good"], NEAR_BEST, by_absolute_error) == ["{perfect"]
