"""Which candidates `candidates: auto` holds, by facts of a history, and which of them its size leaves out.

The backtest chooses from them and gives its reasons (`forecast.auto`); the plan estimates what they cost (`plan.run_estimate`).
"""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.spec.candidate_costs import PanelSize, cannot_pay
from mlspec.spec.candidates import (
    LONGEST_STATE,
    AutoCes,
    AutoEts,
    Candidate,
    Croston,
    GradientBoosting,
    Mstl,
    Regression,
    SeasonalNaive,
    Theta,
)

BASELINE = SeasonalNaive(kind="seasonal-naive")
# For intermittent demand.
CROSTON_VARIANTS = (
    Croston(kind="croston", name="croston-sba"),
    Croston(kind="croston", name="croston-tsb", variant="tsb"),
)
# Three of the four whose median did best in Petropoulos & Svetunkov 2020. With the seasonal naive in place of the fourth, ARIMA,
# the median is as good or better on four public sets, in a tenth of the time (benchmarks/README.md).
STATISTICAL: tuple[Candidate, ...] = (AutoEts(kind="auto-ets"), AutoCes(kind="auto-ces"), Theta(kind="theta"))


def count_held_seasons(length: float, seasons: Sequence[float]) -> int:
    """Return how many of a frequency's seasons (in periods) a history of `length` periods holds more than twice."""
    return sum(bool(length > 2 * season) for season in seasons)


def has_long_season(season: int, held_seasons: int) -> bool:
    """Return whether waves describe the seasons with few parameters: a long season, or several."""
    return season > LONGEST_STATE or held_seasons > 1


def list_wave_candidates(season: int, held_seasons: int, *, known: bool) -> tuple[Candidate, ...]:
    """Return the candidates for several seasons and for `known` covariates; none without either."""
    decomposition = (Mstl(kind="mstl"),) if held_seasons > 1 else ()
    regression = (Regression(kind="regression"),) if known or has_long_season(season, held_seasons) else ()
    return (*decomposition, *regression)


def boosted_trees(*, distributed: bool) -> GradientBoosting:
    """Return the trees over all series; with `distributed`, those that several workers train together."""
    return GradientBoosting(kind="gradient-boosting", library="lightgbm" if distributed else "scikit-learn")


def is_left_out(candidate: Candidate, size: PanelSize, *, distributed: bool) -> bool:
    """Return whether `auto` leaves a candidate out at a size.

    Never the baseline, Croston's methods, which are as fast, and trees that several workers train together.
    """
    if isinstance(candidate, SeasonalNaive | Croston) or (distributed and isinstance(candidate, GradientBoosting)):
        return False
    return cannot_pay(candidate, size)
