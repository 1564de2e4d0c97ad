"""About how long backtest and training of a forecast take, and which candidates of `candidates: auto` its data are too large for.

An estimate, from the size that `check` recorded and the costs of `spec.candidate_costs`. It says nothing of less than a minute.
Which candidates are left out, the size alone decides; how long the others take, the processors too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.errors import ModelError
from mlspec.memory import format_size
from mlspec.plan.time_left import time_text
from mlspec.spec.auto_candidates import (
    BASELINE,
    CROSTON_VARIANTS,
    STATISTICAL,
    boosted_trees,
    count_held_seasons,
    is_left_out,
    list_wave_candidates,
)
from mlspec.spec.backtest_windows import fit_windows
from mlspec.spec.candidate_costs import (
    CandidateCost,
    PanelSize,
    cannot_pay,
    estimate_cost,
    left_out_sentences,
    most_seconds,
    scoring_bytes,
)
from mlspec.spec.candidates import Candidate, Ensemble
from mlspec.spec.forecast import Forecast

WORTH_SAYING = 60.0  # seconds
LARGE_SOURCE = 100_000_000  # bytes of a source whose size in series nobody knows yet


@dataclass(frozen=True, slots=True)
class CheckedSize:
    """What `check` recorded of the panel: `times` are its distinct periods, `season` and `seasons` those of its frequency."""

    series: int
    periods: int
    times: int
    season: int
    seasons: tuple[float, ...]


def read_size(facts: Any) -> CheckedSize | None:
    """Return the size that `check` recorded; None if an older mlspec checked the data, or nothing can be read."""
    try:
        series, periods, times, season = (int(facts[name]) for name in ("series", "periods", "times", "season"))
        seasons = tuple(float(each) for each in facts["seasons"])
    except (KeyError, TypeError, ValueError):
        return None
    return CheckedSize(series, periods, times, season, seasons) if min(series, periods, times, season) > 0 else None


def estimate_sentences(spec: Forecast, checked: CheckedSize, processors: int | None) -> tuple[str, ...]:
    """Return what a run of this size takes, and which candidates are left out or slow. `processors`: None if it runs elsewhere."""
    try:
        size, length = _panel_size(spec, checked)
    except ModelError:  # too short a history, which the backtest explains
        return ()
    named = spec.model.candidates if not isinstance(spec.model.candidates, str) else ()
    considered: list[Candidate] = [candidate for candidate in named if not isinstance(candidate, Ensemble)]
    considered = considered or _auto_candidates(spec, checked, length)
    in_cluster = spec.training.engine is not None
    left_out = [] if named else [each for each in considered if is_left_out(each, size, distributed=in_cluster)]
    costs = {each.label: estimate_cost(each, size) for each in considered if each not in left_out}
    known = {label: cost for label, cost in costs.items() if cost is not None}
    slow = [each for each in named if cannot_pay(each, size)]
    ensembles = sum(isinstance(each, Ensemble) for each in named) if named else 1
    scoring = scoring_bytes(size, spec.model.horizon, len(costs) + ensembles)
    unknown = [label for label, cost in costs.items() if cost is None]
    return (
        *_time_sentence(known, size, unknown, None if in_cluster else processors, scoring),
        *left_out_sentences(left_out, size),
        *(_slow_sentence(each, known[each.label]) for each in slow),
    )


def unknown_size_sentence(source_bytes: int) -> tuple[str, ...]:
    """Return a sentence for a large source that was not checked yet; none for a smaller one."""
    if source_bytes < LARGE_SOURCE:
        return ()
    said = (
        f"its source has {format_size(source_bytes)}, and was not checked yet: once it is, apply says about how long backtest and "
        "training take, and which candidates are left out"
    )
    return (said,)


def _panel_size(spec: Forecast, checked: CheckedSize) -> tuple[PanelSize, float]:
    """Return the size of the backtest, and the periods of a series at its first cutoff."""
    backtest, horizon = spec.model.backtest, spec.model.horizon
    windows, step = fit_windows(checked.times, horizon, checked.season, backtest.windows, backtest.step or horizon)
    length = checked.periods / checked.series - horizon - (windows - 1) * step
    return PanelSize(checked.series, checked.periods, windows), length


def _auto_candidates(spec: Forecast, checked: CheckedSize, length: float) -> list[Candidate]:
    """Return the candidates that `auto` considers. One of Croston's methods stands for both, whether they are chosen or not."""
    covariates = spec.dataset.covariates
    known = bool(covariates.known or covariates.computed)
    return [
        BASELINE,
        CROSTON_VARIANTS[0],
        *STATISTICAL,
        *list_wave_candidates(checked.season, count_held_seasons(length, checked.seasons), known=known),
        boosted_trees(distributed=spec.training.engine is not None),
    ]


def _time_sentence(
    known: Mapping[str, CandidateCost], size: PanelSize, unknown: Sequence[str], processors: int | None, scoring: int
) -> tuple[str, ...]:
    """Return the sentence on time and memory. `scoring`: the bytes of the forecasts that are scored."""
    if not known:
        return ()
    seconds = sum(cost.backtest for cost in known.values()) + max(cost.once_more for cost in known.values())
    if seconds < WORTH_SAYING:
        return ()
    of_one = f"{time_text(seconds)} of one processor"
    count = processors or 1
    share = f", {time_text(seconds / count)} with {count} processors" if count > 1 else ""
    memory = format_size(max(cost.memory for cost in known.values()) + scoring)
    without = f", without {', '.join(unknown)}, of which nobody knows" if unknown else ""
    said = (
        f"backtest and training take about {of_one}{share}, and {memory} of memory: {size.series:,} series, "
        f"{size.periods:,} periods, {size.windows} windows{without}"
    )
    return (said,)


def _slow_sentence(candidate: Candidate, cost: CandidateCost) -> str:
    return (
        f"{candidate.label} is named in the spec and takes about {time_text(cost.backtest)} of one processor; `auto` would give it "
        f"{time_text(most_seconds(candidate))}"
    )
