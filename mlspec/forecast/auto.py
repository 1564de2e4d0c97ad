"""`candidates: auto`: looks at the data and lists what is worth trying, with a sentence for each choice.

A pure function of a few facts of the data. Demand is called intermittent where the mean interval between demands is 1.32
periods or more, and smooth in size where the squared coefficient of variation is below 0.49 (Syntetos & Boylan 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.forecast.facts import HistoryFacts
from mlspec.spec.forecast import AutoEts, Candidate, Croston, Ensemble, GradientBoosting, SeasonalNaive, Theta


@dataclass(frozen=True)
class CandidateChoice:
    """Candidates to try, and a sentence on each decision."""

    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...]


# Rows of complete lags below which a global model has too little to learn from.
FEWEST_ROWS = 200
# Fits of one-series models (series x windows) beyond which they would run for the better part of an hour: ETS takes 50 to
# 150 ms a fit on one core, theta 3 to 10.
MOST_FITS_ETS, MOST_FITS_THETA = 20_000, 300_000
# Share of series with intermittent demand from which Croston's family competes.
INTERMITTENT_SHARE = 0.25


def choose_candidates(facts: HistoryFacts, *, distributed: bool = False) -> CandidateChoice:
    """Return the list for these facts, of candidates that several workers can learn `together` where they have to."""
    parts = (
        _choose_floor(facts),
        _choose_croston(facts),
        _choose_smoothing(facts),
        _choose_boosting(facts, distributed=distributed),
        _choose_ensemble(),
    )
    return CandidateChoice(
        tuple(candidate for part in parts for candidate in part.candidates),
        tuple(reason for part in parts for reason in part.reasons),
    )


def _choose_floor(facts: HistoryFacts) -> CandidateChoice:
    floor = SeasonalNaive(kind="seasonal-naive")
    if facts.season == 1:
        return CandidateChoice(
            (floor,), ("seasonal-naive: the floor; this frequency has no season, so it is the last value",)
        )
    if facts.length < facts.season:
        why = f"the last value, as {facts.length} periods at the first cutoff hold no season of {facts.season}"
        return CandidateChoice((floor,), (f"seasonal-naive: the floor; {why}",))
    return CandidateChoice((floor,), (f"seasonal-naive: the floor, with a season of {facts.season} periods",))


def _choose_croston(facts: HistoryFacts) -> CandidateChoice:
    if facts.intermittent < INTERMITTENT_SHARE:
        return CandidateChoice((), ())
    variants = (Croston(kind="croston", name="croston-sba"), Croston(kind="croston", name="croston-tsb", variant="tsb"))
    return CandidateChoice(
        variants, (f"croston-sba, croston-tsb: {facts.intermittent:.0%} of the series have intermittent demand",)
    )


def _choose_smoothing(facts: HistoryFacts) -> CandidateChoice:
    chosen: list[Candidate] = []
    left_out: list[str] = []
    for candidate, most in ((AutoEts(kind="auto-ets"), MOST_FITS_ETS), (Theta(kind="theta"), MOST_FITS_THETA)):
        if facts.fits <= most:
            chosen.append(candidate)
        else:
            left_out.append(f"no {candidate.kind}: {facts.fits:,} fits of single series would take too long")
    if chosen and facts.season > 1 and facts.length < 2 * facts.season:
        why = f"without a season, as {facts.length} periods at the first cutoff are less than two seasons of {facts.season}"
    else:
        why = f"{facts.length} periods at the first cutoff are enough for level, trend and season"
    reasons = [f"{', '.join(candidate.label for candidate in chosen)}: {why}"] if chosen else []
    return CandidateChoice(tuple(chosen), (*reasons, *left_out))


def _choose_boosting(facts: HistoryFacts, *, distributed: bool) -> CandidateChoice:
    if facts.rows < FEWEST_ROWS:
        return CandidateChoice(
            (), (f"no gradient-boosting: of {facts.rows:,} rows with all lags it would learn by heart",)
        )
    why = f"gradient-boosting: {facts.rows:,} rows with all lags to learn from"
    if distributed:
        candidate = GradientBoosting(kind="gradient-boosting", library="lightgbm")
        return CandidateChoice((candidate,), (f"{why}, by LightGBM, whose trees several workers can learn together",))
    return CandidateChoice((GradientBoosting(kind="gradient-boosting"),), (why,))


def _choose_ensemble() -> CandidateChoice:
    why = "ensemble: the mean of the best 3 is seldom worse than the best of them, and often better"
    return CandidateChoice((Ensemble(kind="ensemble", of="best-3"),), (why,))
