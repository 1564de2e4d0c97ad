"""`candidates: auto`: looks at the data and lists what is worth trying, with a sentence for each choice.

A pure function of a few facts of the data. Demand is called intermittent where the mean interval between demands is 1.32
periods or more, and smooth in size where the squared coefficient of variation is below 0.49 (Syntetos & Boylan 2005).
"""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.forecast.facts import Facts
from mlspec.spec.forecast import AutoEts, Candidate, Croston, Ensemble, GradientBoosting, SeasonalNaive, Theta

__all__ = ["Choice", "choose"]


@dataclass(frozen=True)
class Choice:
    """Candidates to try, and a sentence on each decision."""

    candidates: tuple[Candidate, ...]
    reasons: tuple[str, ...]


# Rows of complete lags below which a global model has too little to learn from.
FEWEST_ROWS = 200
# Fits of one-series models (series x windows) beyond which they would run for an hour or more on one core.
MOST_FITS = 60_000


def choose(facts: Facts) -> Choice:
    """Return the list for these facts."""
    candidates: list[Candidate] = [SeasonalNaive(kind="seasonal-naive")]
    reasons = [_floor(facts)]
    if facts.intermittent >= 0.5:
        candidates += [
            Croston(kind="croston", name="croston-sba"),
            Croston(kind="croston", name="croston-tsb", variant="tsb"),
        ]
        reasons.append(f"croston-sba and croston-tsb: {facts.intermittent:.0%} of the series have intermittent demand")
    if facts.fits > MOST_FITS:
        reasons.append(f"no auto-ets and no theta: {facts.fits:,} fits of single series would take hours")
    else:
        candidates += [AutoEts(kind="auto-ets"), Theta(kind="theta")]
        reasons.append(_smoothing(facts))
    if facts.rows >= FEWEST_ROWS:
        candidates.append(GradientBoosting(kind="gradient-boosting"))
        reasons.append(f"gradient-boosting: {facts.rows:,} rows with all lags to learn from")
    else:
        reasons.append(
            f"no gradient-boosting: {facts.rows:,} rows with all lags, {FEWEST_ROWS} are too few not to overfit"
        )
    candidates.append(Ensemble(kind="ensemble", of="best-3"))
    reasons.append("ensemble: the mean of the best 3 is seldom worse than the best, and often better")
    return Choice(tuple(candidates), tuple(reasons))


def _floor(facts: Facts) -> str:
    if facts.season > 1 and facts.length < facts.season:
        return f"seasonal-naive: the floor; histories of {facts.length} periods hold no season of {facts.season}, so the last value"
    return (
        f"seasonal-naive: the floor, with a season of {facts.season}"
        if facts.season > 1
        else "seasonal-naive: the last value"
    )


def _smoothing(facts: Facts) -> str:
    if facts.season > 1 and facts.length < 2 * facts.season:
        return (
            f"auto-ets and theta, without a season: {facts.length} periods at the first cutoff are less than two seasons "
            f"of {facts.season}"
        )
    return f"auto-ets and theta: {facts.length} periods at the first cutoff are enough for level, trend and season"
