"""`candidates: auto`: chooses the candidates by facts of the data, and gives a reason for each choice.

A pure function of a few facts. Demand is intermittent if the mean interval between demands is 1.32 periods or more
(Syntetos & Boylan 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.forecast.facts import HistoryFacts
from mlspec.spec.candidates import AutoEts, Candidate, Croston, Ensemble, GradientBoosting, SeasonalNaive, Theta


@dataclass(frozen=True)
class CandidateChoice:
    """The chosen candidates, and a sentence on each decision."""

    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...]


# Fewest rows with complete lags for which a global model is trained.
FEWEST_ROWS = 200
# Most fits of single-series models (series x windows), so that they take less than an hour. One fit takes 50 to 150 ms for ETS and
# 3 to 10 ms for theta on one core.
MOST_FITS_ETS, MOST_FITS_THETA = 20_000, 300_000
# Share of series with intermittent demand from which Croston's methods are candidates.
INTERMITTENT_SHARE = 0.25


def choose_candidates(facts: HistoryFacts, *, distributed: bool = False) -> CandidateChoice:
    """Return the candidates for these facts. With `distributed`, only those that several workers can train together."""
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
        return CandidateChoice((), (f"no gradient-boosting: with {facts.rows:,} rows with all lags it would overfit",))
    why = f"gradient-boosting: {facts.rows:,} training rows with all lags"
    if distributed:
        candidate = GradientBoosting(kind="gradient-boosting", library="lightgbm")
        return CandidateChoice((candidate,), (f"{why}, by LightGBM, which several workers can train together",))
    return CandidateChoice((GradientBoosting(kind="gradient-boosting"),), (why,))


def _choose_ensemble() -> CandidateChoice:
    why = "ensemble: the mean of the best 3 is often better than the best of them, and seldom worse"
    return CandidateChoice((Ensemble(kind="ensemble", of="best-3"),), (why,))
