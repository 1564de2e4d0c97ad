"""`candidates: auto`: chooses the candidates by facts of the data, and gives a reason for each choice.

A pure function of a few facts. Demand is intermittent if the mean interval between demands is 1.32 periods or more
(Syntetos & Boylan 2005). What cannot pay at the size of the data is left out (`spec.candidate_costs`).
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.forecast.facts import HistoryFacts
from mlspec.spec.candidate_costs import cannot_pay, left_out_sentences
from mlspec.spec.candidates import (
    LONGEST_STATE,
    AutoCes,
    AutoEts,
    Candidate,
    Croston,
    Ensemble,
    GradientBoosting,
    Mstl,
    Regression,
    SeasonalNaive,
    Theta,
)


@dataclass(frozen=True)
class CandidateChoice:
    """The chosen candidates, and a sentence on each decision."""

    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...]


# Fewest rows with complete lags for which a global model is trained.
FEWEST_ROWS = 200
# The name of the median of the candidates near the best, and the fewest statistical ones beside the baseline with which it is one.
MEDIAN, FEWEST_FOR_MEDIAN = "median", 2
# Share of series with intermittent demand from which Croston's methods are candidates.
INTERMITTENT_SHARE = 0.25


def choose_candidates(facts: HistoryFacts, *, distributed: bool = False) -> CandidateChoice:
    """Return the candidates for these facts. With `distributed`, only those that several workers can train together."""
    parts = (
        _choose_floor(facts),
        _choose_croston(facts),
        _choose_statistical(facts),
        _choose_regression(facts),
        _choose_boosting(facts, distributed=distributed),
        _choose_ensembles(facts),
    )
    return CandidateChoice(
        tuple(candidate for part in parts for candidate in part.candidates),
        tuple(reason for part in parts for reason in part.reasons),
    )


def _choose_floor(facts: HistoryFacts) -> CandidateChoice:
    floor = SeasonalNaive(kind="seasonal-naive")
    if facts.season == 1:
        return CandidateChoice(
            (floor,), ("seasonal-naive: the baseline; this frequency has no season, so it repeats the last value",)
        )
    if facts.length < facts.season:
        why = f"repeats the last value, as {facts.length} periods at the first cutoff are less than one season of {facts.season}"
        return CandidateChoice((floor,), (f"seasonal-naive: the baseline; {why}",))
    return CandidateChoice((floor,), (f"seasonal-naive: the baseline, with a season of {facts.season} periods",))


def _choose_croston(facts: HistoryFacts) -> CandidateChoice:
    if facts.intermittent < INTERMITTENT_SHARE:
        return CandidateChoice((), ())
    variants = (Croston(kind="croston", name="croston-sba"), Croston(kind="croston", name="croston-tsb", variant="tsb"))
    return CandidateChoice(
        variants, (f"croston-sba, croston-tsb: {facts.intermittent:.0%} of the series have intermittent demand",)
    )


# Three of the four whose median did best in Petropoulos & Svetunkov 2020. With the seasonal naive in place of the fourth, ARIMA,
# the median is as good or better on four public sets, in a tenth of the time (benchmarks/README.md).
_STATISTICAL: tuple[Candidate, ...] = (AutoEts(kind="auto-ets"), AutoCes(kind="auto-ces"), Theta(kind="theta"))


def _choose_statistical(facts: HistoryFacts) -> CandidateChoice:
    chosen = _affordable(facts)
    if chosen and facts.season > 1 and facts.length < 2 * facts.season:
        why = f"without a season, as {facts.length} periods at the first cutoff are less than two seasons of {facts.season}"
    else:
        why = f"{facts.length} periods at the first cutoff are enough for level, trend and season"
    reasons = [f"{', '.join(candidate.label for candidate in chosen)}: {why}"] if chosen else []
    return CandidateChoice(chosen, (*reasons, *left_out_sentences(_STATISTICAL, facts.size)))


def _affordable(facts: HistoryFacts) -> tuple[Candidate, ...]:
    return tuple(candidate for candidate in _STATISTICAL if not cannot_pay(candidate, facts.size))


def _choose_regression(facts: HistoryFacts) -> CandidateChoice:
    """Choose the models of several seasons and of known covariates, where there are such."""
    reasons: dict[Candidate, str] = {}
    if facts.seasons > 1:
        reasons[Mstl(kind="mstl")] = (
            f"mstl: the history holds {facts.seasons} seasons of different length twice or more"
        )
    has_long_season = facts.season > LONGEST_STATE or facts.seasons > 1
    if facts.known or has_long_season:
        whys = [
            *(["it uses the known covariates"] if facts.known else []),
            *(["waves describe a long season with few parameters"] if has_long_season else []),
        ]
        reasons[Regression(kind="regression")] = f"regression: {', and '.join(whys)}"
    chosen = {candidate: why for candidate, why in reasons.items() if not cannot_pay(candidate, facts.size)}
    return CandidateChoice(tuple(chosen), (*chosen.values(), *left_out_sentences(tuple(reasons), facts.size)))


def _choose_boosting(facts: HistoryFacts, *, distributed: bool) -> CandidateChoice:
    if facts.rows < FEWEST_ROWS:
        return CandidateChoice((), (f"no gradient-boosting: with {facts.rows:,} rows with all lags it would overfit",))
    why = f"gradient-boosting: {facts.rows:,} training rows with all lags"
    if distributed:
        candidate = GradientBoosting(kind="gradient-boosting", library="lightgbm")
        return CandidateChoice((candidate,), (f"{why}, by LightGBM, which several workers can train together",))
    candidate = GradientBoosting(kind="gradient-boosting")
    if cannot_pay(candidate, facts.size):
        return CandidateChoice((), left_out_sentences((candidate,), facts.size))
    return CandidateChoice((candidate,), (why,))


def _choose_ensembles(facts: HistoryFacts) -> CandidateChoice:
    best = Ensemble(kind="ensemble", of="best-3")
    why = "ensemble: the mean of the best 3 is often better than the best of them, and seldom worse"
    if len(_affordable(facts)) < FEWEST_FOR_MEDIAN:
        return CandidateChoice((best,), (why,))
    median = Ensemble(kind="ensemble", name=MEDIAN, of="near-best", combine="median")
    return CandidateChoice(
        (median, best),
        (
            f"{MEDIAN}: it follows no candidate that fails, and none far off the best; it serves unless another is surely better",
            why,
        ),
    )
