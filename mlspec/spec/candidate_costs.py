"""What a candidate costs at a size: estimates of time and memory, and the rule by which `candidates: auto` leaves one out.

The rule: a candidate that estimates each series by itself is left out if its backtest would take more than an hour of one
processor; trees, which learn from all series together, if theirs would take more than four. The estimate is made from the size of
the data alone, never from the machine: the same data have the same candidates everywhere. A candidate that a spec names is never
left out.

The seconds are those of one processor, measured by `benchmarks/candidate_costs.py` on 2026-12-01 on a virtual machine with an Intel
Xeon, 2 processors and other work on them, Python 3.11: daily series with a week, of 400, 1,000 and 1,941 periods, with one known
covariate. The bytes are those of docs/scale.md, measured on the same machine. Another machine may take half, or twice as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlspec.spec.candidates import FEWEST_SERIES, Candidate, GradientBoosting

# Most seconds of one processor that the backtest of a candidate of `auto` may take: of one that fits each series, and of trees.
MOST_SECONDS, MOST_TREE_SECONDS = 3_600, 4 * 3_600
# Bytes of a process with its libraries; for a period of a part that is worked on, and of all rows that trees learn from.
BASE_BYTES, PART_BYTES, TREE_BYTES = 250 * 2**20, 120, 85
MOST_PART = 2_500_000  # periods of a part of a panel
# Bytes for each forecast period of each series and window while candidates are scored, and for each of the candidates.
SCORED_BYTES, SCORED_CANDIDATE_BYTES = 250, 50


@dataclass(frozen=True)
class PanelSize:
    """How much is forecast: `periods` are those of all series, `windows` those of the backtest."""

    series: int
    periods: int
    windows: int


@dataclass(frozen=True)
class FitSeconds:
    """The seconds of one fit of one series: in any case, for each period, and for each square of the number of periods."""

    fit: float
    period: float
    square: float = 0.0


# By kind. A year in the days of a series makes the fits of mstl slow; it is a candidate of `auto` in such a case alone.
_SECONDS = {
    "seasonal-naive": FitSeconds(4e-4, 4e-7),
    "croston": FitSeconds(4e-4, 4e-7),
    "auto-ets": FitSeconds(0.03, 2.6e-4),
    "auto-ces": FitSeconds(2e-3, 9.7e-5),
    "auto-arima": FitSeconds(0.5, 8e-4),
    "theta": FitSeconds(0.01, 0.0, 1e-7),
    "mstl": FitSeconds(0.0, 7e-4),
    "regression": FitSeconds(0.015, 5.5e-5),
}
# By library: the seconds of a row and a tree, and of a row, whose features are made.
_TREE_SECONDS = {"scikit-learn": (8e-8, 6e-6), "lightgbm": (4.6e-8, 7.5e-6)}


@dataclass(frozen=True)
class CandidateCost:
    """Seconds of one processor for the backtest and for one more fit, and the bytes that are held at once."""

    backtest: float
    once_more: float
    memory: int


def estimate_cost(candidate: Candidate, size: PanelSize) -> CandidateCost | None:
    """Return what a candidate costs; None for an ensemble, which costs nothing itself, and a model of your own: nobody knows."""
    if isinstance(candidate, GradientBoosting):
        each_tree, each_row = _TREE_SECONDS[candidate.library]
        learned = min(size.periods, _enough_periods(candidate, size))
        seconds = learned * candidate.iterations * each_tree + size.periods * each_row
        return CandidateCost(seconds * size.windows, seconds, BASE_BYTES + learned * TREE_BYTES)
    of_kind = _SECONDS.get(candidate.kind)
    if of_kind is None or not size.series:
        return None
    length = size.periods / size.series
    seconds = size.series * (of_kind.fit + of_kind.period * length + of_kind.square * length**2)
    return CandidateCost(seconds * size.windows, seconds, BASE_BYTES + min(size.periods, MOST_PART) * PART_BYTES)


def scoring_bytes(size: PanelSize, horizon: int, candidates: int) -> int:
    """Return the bytes of the forecasts of all windows while the candidates are scored."""
    return size.series * size.windows * horizon * (SCORED_BYTES + candidates * SCORED_CANDIDATE_BYTES)


def _enough_periods(candidate: GradientBoosting, size: PanelSize) -> int:
    """Return from how many periods on trees learn from a sample, where memory holds all (`forecast.training_sample`)."""
    if candidate.enough_rows is None or not size.series:
        return size.periods
    return max(candidate.enough_rows, FEWEST_SERIES * size.periods // size.series)


def cannot_pay(candidate: Candidate, size: PanelSize) -> bool:
    """Return whether the backtest of a candidate takes longer than `auto` gives it."""
    cost = estimate_cost(candidate, size)
    return cost is not None and cost.backtest > most_seconds(candidate)


def left_out_sentences(candidates: Sequence[Candidate], size: PanelSize) -> tuple[str, ...]:
    """Return why each candidate that cannot pay is left out, with the time that it would take."""
    costs = [(candidate, estimate_cost(candidate, size)) for candidate in candidates if cannot_pay(candidate, size)]
    return tuple(
        f"no {candidate.label}: its backtest would take about {cost.backtest / 3600:,.1f} h of one processor, with "
        f"{size.series:,} series, {size.periods:,} periods and {size.windows} windows; `auto` gives it "
        f"{most_seconds(candidate) / 3600:.0f} h"
        for candidate, cost in costs
        if cost is not None
    )


def most_seconds(candidate: Candidate) -> float:
    """Return how many seconds of one processor `auto` gives the backtest of a candidate."""
    return MOST_TREE_SECONDS if isinstance(candidate, GradientBoosting) else MOST_SECONDS
