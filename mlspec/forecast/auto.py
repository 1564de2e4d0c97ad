"""`candidates: auto`: chooses the candidates by facts of the data, and gives a reason for each choice.

A pure function of a few facts. Demand is intermittent if the mean interval between demands is 1.32 periods or more
(Syntetos & Boylan 2005). The candidates themselves, and which of them a size leaves out, are in `spec.auto_candidates`.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.forecast.facts import HistoryFacts
from mlspec.spec.auto_candidates import (
    BASELINE,
    CROSTON_VARIANTS,
    STATISTICAL,
    boosted_trees,
    has_long_season,
    is_left_out,
    list_wave_candidates,
)
from mlspec.spec.candidate_costs import left_out_sentences
from mlspec.spec.candidates import Candidate, Ensemble


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
    if facts.season == 1:
        why = "this frequency has no season, so it repeats the last value"
        return CandidateChoice((BASELINE,), (f"seasonal-naive: the baseline; {why}",))
    if facts.length < facts.season:
        why = f"repeats the last value, as {facts.length} periods at the first cutoff are less than one season of {facts.season}"
        return CandidateChoice((BASELINE,), (f"seasonal-naive: the baseline; {why}",))
    return CandidateChoice((BASELINE,), (f"seasonal-naive: the baseline, with a season of {facts.season} periods",))


def _choose_croston(facts: HistoryFacts) -> CandidateChoice:
    if facts.intermittent < INTERMITTENT_SHARE:
        return CandidateChoice((), ())
    names = ", ".join(candidate.label for candidate in CROSTON_VARIANTS)
    return CandidateChoice(
        CROSTON_VARIANTS, (f"{names}: {facts.intermittent:.0%} of the series have intermittent demand",)
    )


def _choose_statistical(facts: HistoryFacts) -> CandidateChoice:
    chosen = _affordable(facts)
    if chosen and facts.season > 1 and facts.length < 2 * facts.season:
        why = f"without a season, as {facts.length} periods at the first cutoff are less than two seasons of {facts.season}"
    else:
        why = f"{facts.length} periods at the first cutoff are enough for level, trend and season"
    reasons = [f"{', '.join(candidate.label for candidate in chosen)}: {why}"] if chosen else []
    return CandidateChoice(chosen, (*reasons, *left_out_sentences(STATISTICAL, facts.size)))


def _affordable(facts: HistoryFacts) -> tuple[Candidate, ...]:
    return tuple(candidate for candidate in STATISTICAL if not is_left_out(candidate, facts.size, distributed=False))


def _choose_regression(facts: HistoryFacts) -> CandidateChoice:
    """Choose the models of several seasons and of known covariates, where there are such."""
    whys = [
        *(["it uses the known covariates"] if facts.known else []),
        *(["waves describe a long season with few parameters"] if has_long_season(facts.season, facts.seasons) else []),
    ]
    reasons = {
        "mstl": f"the history holds {facts.seasons} seasons of different length twice or more",
        "regression": ", and ".join(whys),
    }
    listed = list_wave_candidates(facts.season, facts.seasons, known=facts.known)
    chosen = tuple(candidate for candidate in listed if not is_left_out(candidate, facts.size, distributed=False))
    said = [f"{candidate.label}: {reasons[candidate.kind]}" for candidate in chosen]
    return CandidateChoice(chosen, (*said, *left_out_sentences(listed, facts.size)))


def _choose_boosting(facts: HistoryFacts, *, distributed: bool) -> CandidateChoice:
    if facts.rows < FEWEST_ROWS:
        return CandidateChoice((), (f"no gradient-boosting: with {facts.rows:,} rows with all lags it would overfit",))
    candidate = boosted_trees(distributed=distributed)
    if is_left_out(candidate, facts.size, distributed=distributed):
        return CandidateChoice((), left_out_sentences((candidate,), facts.size))
    why = f"gradient-boosting: {facts.rows:,} training rows with all lags"
    together = ", by LightGBM, which several workers can train together" if distributed else ""
    return CandidateChoice((candidate,), (f"{why}{together}",))


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
