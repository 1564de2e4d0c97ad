"""Selects the champion: lists the entrants of a backtest, scores each of them, and chooses the best.

Takes a panel and the `model` part of a spec. The module `backtest` makes the forecasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mlspec.errors import BrokenModel, ModelError
from mlspec.forecast.auto import choose_candidates
from mlspec.forecast.backtest import (
    CANDIDATE,
    Entrant,
    Say,
    backtest_cutoffs,
    entrant_rows,
    forecast_windows,
    pick_best,
)
from mlspec.forecast.candidates import ChosenCandidate
from mlspec.forecast.facts import history_facts
from mlspec.forecast.frame import Panel
from mlspec.forecast.metrics import Metrics
from mlspec.forecast.quantiles import calibrate_windows
from mlspec.forecast.scores import score_rows
from mlspec.forecast.workers import Workers
from mlspec.spec.candidates import Candidate, Ensemble, SeasonalNaive
from mlspec.spec.forecast import Model
from mlspec.spec.metrics import MAIN, METRICS

# Labels that no candidate of a spec can have: the baseline and the serving version, if they are not candidates.
CHAMPION = "champion"  # the column that marks the champion's rows
FLOOR, INCUMBENT = "(floor)", "(serving)"
# The champion with its final members in every window. The serving version is compared with this score, because its members were
# also chosen with knowledge of these windows. The champion's score in the table uses only earlier windows.
DEPLOYED = "(to serve)"
# Under `auto`, the share by which the ensemble may be worse than the best candidate and still be champion. Of two almost equal
# candidates the mean is safer, because the errors of its members partly cancel.
PREFERENCE = 0.01


@dataclass(frozen=True)
class Competitors:
    """The entrants of a backtest: `entrants` can become champion; the baseline and the serving version are only scored."""

    entrants: tuple[Entrant, ...]
    floor: Entrant
    incumbent: Entrant | None
    reasons: tuple[str, ...] = ()
    auto: bool = False


@dataclass(frozen=True)
class CompetitionResult:
    """`rows`: every entrant's forecasts with quantiles; `scores` by label; the `champion` and its `members`.

    `competitors` are those that were scored, and `broken` has why each other one was left out. `incumbent_broken`: the version that
    serves is one of these.
    """

    rows: pd.DataFrame
    scores: dict[str, Metrics]
    champion: Entrant
    members: tuple[Candidate, ...]
    cutoffs: list[pd.Timestamp]
    competitors: Competitors
    broken: tuple[str, ...] = ()
    incumbent_broken: bool = False

    def rows_for(self, label: str) -> pd.DataFrame:
        """Return one entrant's rows."""
        return self.rows[self.rows[CANDIDATE] == label]


def gather_competitors(panel: Panel, model: Model, incumbent: ChosenCandidate | None, workers: Workers) -> Competitors:
    """Return the entrants of the backtest. `incumbent` is the serving version's candidate, or None."""
    first = panel.known_at(backtest_cutoffs(panel, model.backtest)[0])
    reasons: tuple[str, ...] = ()
    if model.candidates == "auto":
        chosen = choose_candidates(history_facts(first, model.backtest.windows), distributed=workers.count > 1)
        listed, reasons = chosen.candidates, chosen.reasons
    else:
        listed = model.candidates
    singles = [candidate for candidate in listed if not isinstance(candidate, Ensemble)]
    entrants = [_make_entrant(candidate, singles) for candidate in listed]
    floor = SeasonalNaive(kind="seasonal-naive")
    listed_floor = next((entrant for entrant in entrants if entrant.members == (floor,)), None)
    serving = None
    if incumbent is not None:
        serving = Entrant(INCUMBENT, incumbent.candidate.kind, incumbent.parts)
    return Competitors(
        tuple(entrants),
        listed_floor or Entrant(FLOOR, floor.kind, (floor,)),
        serving,
        reasons,
        auto=model.candidates == "auto",
    )


def _make_entrant(candidate: Candidate, singles: Sequence[Candidate]) -> Entrant:
    if not isinstance(candidate, Ensemble):
        return Entrant(candidate.label, candidate.kind, (candidate,))
    member_rule = candidate.of
    if isinstance(member_rule, str):
        pick = None if member_rule == "all" else int(member_rule.removeprefix("best-"))
        members = singles
    else:
        pick, members = None, [single for single in singles if single.label in member_rule]
    if not members:
        raise ModelError(f"ensemble '{candidate.label}' has no members", hint="list other candidates beside it")
    return Entrant(candidate.label, candidate.kind, tuple(members), pick)


def run_competition(
    panel: Panel, model: Model, competitors: Competitors, say: Say, workers: Workers
) -> CompetitionResult:
    """Run the backtest on `workers` and choose the champion by the spec's metric."""
    singles = {_forecast_key(member): member for entrant in _all_entrants(competitors) for member in entrant.members}
    cuts = backtest_cutoffs(panel, model.backtest)
    forecasts = forecast_windows(panel, cuts, singles, model.seed, say, workers)
    serves = competitors.incumbent is not None
    window_forecasts, competitors = forecasts.rows, _leave_out(competitors, forecasts.broken)
    all_entrants = _all_entrants(competitors)

    def rank_rows(rows: pd.DataFrame) -> float:
        ranks_means = not METRICS[model.backtest.metric].quantiles  # the rows for ranking members have no quantiles yet
        value = score_rows(rows)[model.backtest.metric if ranks_means else MAIN.name]
        return float("inf") if value is None else value

    rows, scores = [], {}
    for entrant in all_entrants:
        own_rows = entrant_rows(
            entrant, window_forecasts, [_forecast_key(member) for member in entrant.members], rank_rows
        )
        own_rows = calibrate_windows(own_rows, model.quantiles)
        rows.append(own_rows)
        scores[entrant.label] = score_rows(own_rows, model.quantiles)
    champion = choose_champion(competitors, scores, model.backtest.metric)
    keys = pick_best(window_forecasts, [_forecast_key(member) for member in champion.members], champion.pick, rank_rows)
    members = tuple(member for member in champion.members if _forecast_key(member) in keys)
    if competitors.incumbent:
        deployed = Entrant(DEPLOYED, champion.kind, members)
        deployed_rows = calibrate_windows(
            entrant_rows(deployed, window_forecasts, [_forecast_key(member) for member in members], rank_rows),
            model.quantiles,
        )
        scores[DEPLOYED] = score_rows(deployed_rows, model.quantiles)
    all_rows = pd.concat(rows, ignore_index=True)
    all_rows[CHAMPION] = all_rows[CANDIDATE] == champion.label
    return CompetitionResult(
        all_rows,
        scores,
        champion,
        members,
        cuts,
        competitors,
        tuple(forecasts.broken.values()),
        serves and competitors.incumbent is None,
    )


def _all_entrants(competitors: Competitors) -> list[Entrant]:
    entrants = [*competitors.entrants, competitors.floor, *([competitors.incumbent] if competitors.incumbent else [])]
    return list({entrant.label: entrant for entrant in entrants}.values())


def _leave_out(competitors: Competitors, broken: Mapping[str, str]) -> Competitors:
    """Return the competitors without broken models. An ensemble goes on with its other members, if it has two or more.

    Raises BrokenModel if no candidate is left.
    """
    if not broken:
        return competitors
    entrants = []
    for entrant in competitors.entrants:
        members = tuple(member for member in entrant.members if _forecast_key(member) not in broken)
        if members == entrant.members or len(members) > 1:
            entrants.append(replace(entrant, members=members))
    if not entrants:
        raise BrokenModel("; ".join(broken.values()), hint="correct the model, or list another candidate beside it")
    serving = competitors.incumbent
    if serving is not None and any(_forecast_key(member) in broken for member in serving.members):
        serving = None
    return replace(competitors, entrants=tuple(entrants), incumbent=serving)


def choose_champion(competitors: Competitors, scores: dict[str, Metrics], metric: str) -> Entrant:
    """Return the entrant with the lowest `metric`; under `auto` the ensemble, if it is within 1 % of that.

    Raises ModelError if the metric has no value for any entrant.
    """
    ranked = [
        (value, entrant) for entrant in competitors.entrants if (value := scores[entrant.label][metric]) is not None
    ]
    if not ranked:
        raise ModelError(
            f"no candidate can be ranked by {metric}: it has no value over the backtest's windows",
            hint="if all demand is zero, no accuracy can be measured; rank by another metric, or use more windows",
        )
    lowest, champion = min(ranked, key=lambda pair: pair[0])
    for value, entrant in ranked:
        if competitors.auto and entrant.kind == "ensemble" and value <= lowest * (1 + PREFERENCE):
            return entrant
    return champion


def _forecast_key(candidate: Candidate) -> str:
    """Return a key that is equal for candidates with equal forecasts: all settings but the name. It begins with a brace."""
    return candidate.model_dump_json(exclude={"name"})


def by_label(scores: dict[str, Metrics], entrants: Sequence[Entrant]) -> list[dict[str, Any]]:
    """Return the table of candidates as JSON."""
    return [{"name": entrant.label, "kind": entrant.kind, "metrics": scores[entrant.label]} for entrant in entrants]
