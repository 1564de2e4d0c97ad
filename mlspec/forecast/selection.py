"""Selects the champion: lists the entrants of a backtest, scores each of them, and chooses the best.

Takes a panel and the `model` part of a spec. The module `backtest` makes the forecasts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from mlspec.errors import BrokenModel, ModelError
from mlspec.forecast.auto import INTERMITTENT_SHARE, choose_candidates
from mlspec.forecast.backtest import (
    NEAR_BEST,
    Entrant,
    Keep,
    Pick,
    Say,
    entrant_means,
    forecast_windows,
    make_anew,
    pick_best,
)
from mlspec.forecast.candidates import ChosenCandidate
from mlspec.forecast.entrant_forecasts import EntrantForecasts
from mlspec.forecast.facts import history_facts, intermittent_share, panel_size
from mlspec.forecast.metrics import Metrics
from mlspec.forecast.paired_test import SQUARED, PairedTest
from mlspec.forecast.quantiles import calibrate_means
from mlspec.forecast.scores import score_rows
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.windows import backtest_windows
from mlspec.forecast.workers import THIS_PROCESS, Workers
from mlspec.spec.candidates import Candidate, Ensemble, SeasonalNaive
from mlspec.spec.forecast import Model
from mlspec.spec.metrics import MAIN, find_metric, names_of_packages

# Labels that no candidate of a spec can have: the baseline and the serving version, if they are not candidates.
FLOOR, INCUMBENT = "(floor)", "(serving)"
# The champion with its final members in every window. The serving version is compared with this score, because its members were
# also chosen with knowledge of these windows. The champion's score in the table uses only earlier windows.
DEPLOYED = "(to serve)"


@dataclass(frozen=True)
class Competitors:
    """The entrants of a backtest: `entrants` can become champion; the baseline and the serving version are only scored.

    `preferred`: the label of the entrant that becomes champion unless another one is surely better; None to take the best. It is
    what serves, or else, under `auto`, the ensemble: a backtest has few windows, and the best of many candidates looks better than
    it is. `preferred_serves`: the preferred entrant is what serves. It is tested at each training against each rival, and is
    replaced by one that has to be better at a level which holds for all of them together.
    """

    entrants: tuple[Entrant, ...]
    floor: Entrant
    incumbent: Entrant | None
    reasons: tuple[str, ...] = ()
    preferred: str | None = None
    preferred_serves: bool = False


@dataclass(frozen=True)
class CompetitionResult:
    """`forecasts`: every entrant's, with quantiles; `scores` by label; the `champion` and its `members`.

    `competitors` are those that were scored, and `broken` has why each other one was left out. `incumbent_broken`: the version that
    serves is one of these.
    """

    forecasts: EntrantForecasts
    scores: dict[str, Metrics]
    champion: Entrant
    members: tuple[Candidate, ...]
    cutoffs: tuple[pd.Timestamp, ...]
    competitors: Competitors
    broken: tuple[str, ...] = ()
    incumbent_broken: bool = False
    notes: tuple[str, ...] = ()

    @property
    def champion_rows(self) -> pd.DataFrame:
        """The champion's forecasts, with actual values and scales."""
        return self.forecasts.rows_of(self.champion.label)


def gather_competitors(
    panel: PartedPanel, model: Model, incumbent: ChosenCandidate | None, workers: Workers
) -> Competitors:
    """Return the entrants of the backtest. `incumbent` is the serving version's candidate, or None."""
    windows = backtest_windows(panel, model.backtest)
    first = panel.known_at(windows.cutoffs[0])
    reasons: tuple[str, ...] = ()
    if model.candidates == "auto":
        chosen = choose_candidates(
            history_facts(first, panel_size(panel, len(windows.cutoffs)), workers), distributed=workers.count > 1
        )
        listed, reasons = chosen.candidates, chosen.reasons
    else:
        listed = model.candidates
    singles = [candidate for candidate in listed if not isinstance(candidate, Ensemble)]
    entrants = [_make_entrant(candidate, singles) for candidate in listed]
    floor = SeasonalNaive(kind="seasonal-naive")
    listed_floor = next((entrant for entrant in entrants if entrant.members == (floor,)), None)
    serving = None
    if incumbent is not None:
        serving = Entrant(INCUMBENT, incumbent.candidate.kind, incumbent.parts, combine=incumbent.combine)
    stays = _serving_label(listed, incumbent)
    ensembles = [candidate.label for candidate in listed if isinstance(candidate, Ensemble)]
    prior = ensembles[0] if model.candidates == "auto" and ensembles else None
    return Competitors(
        tuple(entrants),
        listed_floor or Entrant(FLOOR, floor.kind, (floor,)),
        serving,
        reasons,
        None if model.backtest.level is None else stays or prior,
        stays is not None,
    )


def _serving_label(listed: Sequence[Candidate], incumbent: ChosenCandidate | None) -> str | None:
    """Return the label of the candidate that serves, if it is listed. The baseline is none that should stay."""
    serves = None if incumbent is None else incumbent.candidate
    for candidate in listed:
        if isinstance(candidate, Ensemble) and isinstance(serves, Ensemble):
            stays = (candidate.label, candidate.combine) == (serves.label, serves.combine)
        else:
            stays = candidate == serves and not isinstance(candidate, SeasonalNaive)
        if stays:
            return candidate.label
    return None


def _make_entrant(candidate: Candidate, singles: Sequence[Candidate]) -> Entrant:
    if not isinstance(candidate, Ensemble):
        return Entrant(candidate.label, candidate.kind, (candidate,))
    member_rule = candidate.of
    if isinstance(member_rule, str):
        pick = _pick(member_rule)
        members = singles
    else:
        pick, members = None, [single for single in singles if single.label in member_rule]
    if not members:
        raise ModelError(f"ensemble '{candidate.label}' has no members", hint="list other candidates beside it")
    return Entrant(candidate.label, candidate.kind, tuple(members), pick, candidate.combine)


def _pick(rule: str) -> Pick | None:
    """Return how a rule of the spec picks members: so many (`best-3`), those near the best, or None for all."""
    if rule == NEAR_BEST:
        return NEAR_BEST
    return None if rule == "all" else int(rule.removeprefix("best-"))


def run_competition(
    panel: PartedPanel, model: Model, competitors: Competitors, say: Say, workers: Workers, keep: Keep = make_anew
) -> CompetitionResult:
    """Run the backtest on `workers` and choose the champion by the spec's metric. `keep`: see `forecast_windows`."""
    singles = {_forecast_key(member): member for entrant in _all_entrants(competitors) for member in entrant.members}
    windows = backtest_windows(panel, model.backtest)
    cuts = windows.cutoffs
    windows_made = forecast_windows(panel, cuts, singles, model.seed, say, workers, keep)
    serves, periods = competitors.incumbent is not None, windows_made.periods
    competitors = _leave_out(competitors, windows_made.broken)

    metric, why_metric = choose_metric(model, panel.known_at(cuts[0]), workers)

    def rank_rows(rows: pd.DataFrame) -> float:
        ranks_means = not find_metric(metric).quantiles  # the rows for ranking members have no quantiles yet
        name = metric if ranks_means else MAIN.name
        value = score_rows(rows, (), names_of_packages([name]))[name]
        return float("inf") if value is None else value

    def forecast_as(entrant: Entrant) -> EntrantForecasts:
        keys = [_forecast_key(member) for member in entrant.members]
        means = entrant_means(entrant, periods, windows_made.means, keys, rank_rows)
        return EntrantForecasts(periods, {entrant.label: calibrate_means(periods, means, model.quantiles)})

    def score(made: EntrantForecasts, label: str) -> Metrics:
        return score_rows(made.rows_of(label), model.quantiles, model.package_metrics)

    forecasts, scores = EntrantForecasts(periods, {}), dict[str, Metrics]()
    for entrant in _all_entrants(competitors):
        made = forecast_as(entrant)
        scores[entrant.label] = score(made, entrant.label)
        forecasts = replace(forecasts, own={**forecasts.own, **made.own})
    champion = choose_champion(
        competitors, scores, forecasts, PairedTest(metric, model.quantiles, model.backtest.level)
    )
    keys = [_forecast_key(member) for member in champion.members]
    keys = pick_best(periods, windows_made.means, keys, champion.pick, rank_rows)
    members = tuple(member for member in champion.members if _forecast_key(member) in keys)
    if competitors.incumbent:
        deployed = Entrant(DEPLOYED, champion.kind, members, combine=champion.combine)
        scores[DEPLOYED] = score(forecast_as(deployed), DEPLOYED)
    return CompetitionResult(
        forecasts,
        scores,
        champion,
        members,
        cuts,
        competitors,
        tuple(windows_made.broken.values()),
        serves and competitors.incumbent is None,
        tuple(
            note
            for note in (
                windows.note,
                *windows_made.notes,
                why_metric,
                _why_stays(competitors, scores, champion, metric),
            )
            if note
        ),
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


def choose_metric(model: Model, panel: PartedPanel, workers: Workers = THIS_PROCESS) -> tuple[str, str]:
    """Return the metric that ranks, and a sentence if it is not that of the spec. `panel` is the history at the first cutoff."""
    asked = model.backtest.metric
    if asked != MAIN.name or model.candidates != "auto":
        return asked, ""
    share = intermittent_share(panel, workers)
    if share < INTERMITTENT_SHARE:
        return asked, ""
    why = f"{share:.0%} of the series have intermittent demand, for which a forecast near zero has the lowest {MAIN.title}"
    return SQUARED.name, f"candidates are ranked by {SQUARED.title}: {why}"


def choose_champion(
    competitors: Competitors, scores: Mapping[str, Metrics], forecasts: EntrantForecasts, test: PairedTest
) -> Entrant:
    """Return the entrant with the lowest metric of the test; the preferred one, unless another one is surely better.

    Raises ModelError if the metric has no value for any entrant.
    """
    entrants = _rank_entrants(competitors, scores, test.metric)
    if not entrants:
        raise ModelError(
            f"no candidate can be ranked by {test.metric}: it has no value over the backtest's windows",
            hint="if all demand is zero, no accuracy can be measured; rank by another metric, or use more windows",
        )
    preferred = next((entrant for entrant in entrants if entrant.label == competitors.preferred), None)
    if preferred is None:
        return entrants[0]
    better = entrants[: entrants.index(preferred)]
    if competitors.preferred_serves:
        test = test.divide_level(len(entrants) - 1)
    return next(
        (entrant for entrant in better if test.is_surely_better(forecasts, entrant.label, preferred.label)), preferred
    )


def _rank_entrants(competitors: Competitors, scores: Mapping[str, Metrics], metric: str) -> list[Entrant]:
    """Return the entrants that have a value of the metric, the best first."""
    ranked = [
        (value, entrant) for entrant in competitors.entrants if (value := scores[entrant.label][metric]) is not None
    ]
    return [entrant for _value, entrant in sorted(ranked, key=lambda pair: pair[0])]


def _why_stays(competitors: Competitors, scores: Mapping[str, Metrics], champion: Entrant, metric: str) -> str:
    """Return why what serves stays champion though another candidate has a lower metric; empty where that is not so."""
    best = _rank_entrants(competitors, scores, metric)[0]
    if competitors.incumbent is None or champion.label != competitors.preferred or best == champion:
        return ""
    title = find_metric(metric).title
    figures = f"{scores[best.label][metric]:.4g} is no surer gain over {scores[champion.label][metric]:.4g} than chance"
    return f"{champion.label} stays: the {title} of {best.label}, {figures} explains (model.backtest.level)"


def _forecast_key(candidate: Candidate) -> str:
    """Return a key that is equal for candidates with equal forecasts: all settings but the name. It begins with a brace."""
    return candidate.model_dump_json(exclude={"name"})


def by_label(scores: dict[str, Metrics], entrants: Sequence[Entrant]) -> list[dict[str, Any]]:
    """Return the table of candidates as JSON."""
    return [{"name": entrant.label, "kind": entrant.kind, "metrics": scores[entrant.label]} for entrant in entrants]
