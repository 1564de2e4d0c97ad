"""The competition: who enters, what each scores, who is champion.

Everything that one backtest says, from a panel and the model part of a spec; `backtest` makes the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlspec.errors import ModelError
from mlspec.forecast import candidates as families
from mlspec.forecast.auto import choose
from mlspec.forecast.backtest import CANDIDATE, Entrant, Say, best, cutoffs, entrant_rows, forecasts
from mlspec.forecast.facts import facts
from mlspec.forecast.frame import Panel
from mlspec.forecast.metrics import Metrics
from mlspec.forecast.quantiles import calibrated
from mlspec.forecast.scores import score
from mlspec.forecast.workers import Workers
from mlspec.spec.forecast import Candidate, Ensemble, Model, SeasonalNaive

# Labels that no candidate of a spec can have: the floor and the version that serves, where they are not candidates too.
CHAMPION = "champion"  # the column that marks the champion's rows
FLOOR, INCUMBENT = "(floor)", "(serving)"
# The champion with the members that it will serve with, in every window: what the serving version is fairly held against. Its own
# members were chosen with a look at these windows too, while the champion's score in the table never looks ahead.
DEPLOYED = "(to serve)"
# Under `auto`, how much worse than the best single candidate in the backtest the ensemble may be and still be champion:
# of two equals the mean is the safer, as its members' errors do not all fall in the same period.
PREFERENCE = 0.01


@dataclass(frozen=True)
class Field:
    """Who competes: `entrants` for the championship, the floor and the serving version beside it."""

    entrants: tuple[Entrant, ...]
    floor: Entrant
    incumbent: Entrant | None
    reasons: tuple[str, ...] = ()
    auto: bool = False


@dataclass(frozen=True)
class Outcome:
    """`rows`: every entrant's forecasts with quantiles; `scores` by label; `champion` and, if an ensemble, its members."""

    rows: pd.DataFrame
    scores: dict[str, Metrics]
    champion: Entrant
    members: tuple[Candidate, ...]
    cutoffs: list[pd.Timestamp]
    notes: tuple[str, ...] = ()

    def of(self, label: str) -> pd.DataFrame:
        """Return one entrant's rows."""
        return self.rows[self.rows[CANDIDATE] == label]


def enter(panel: Panel, model: Model, incumbent: Any, workers: Workers) -> Field:
    """Return who competes. `incumbent` is the serving version's candidate as JSON, or None."""
    first = panel.until(cutoffs(panel, model.backtest)[0])
    reasons: tuple[str, ...] = ()
    if model.candidates == "auto":
        chosen = choose(facts(first, model.backtest.windows), together=workers.count > 1)
        listed, reasons = chosen.candidates, chosen.reasons
    else:
        listed = model.candidates
    singles = [candidate for candidate in listed if not isinstance(candidate, Ensemble)]
    entrants = [_entrant(candidate, singles) for candidate in listed]
    floor = SeasonalNaive(kind="seasonal-naive")
    known = next((entrant for entrant in entrants if entrant.members == (floor,)), None)
    serving = None
    if incumbent is not None:
        candidate, members = families.from_json(incumbent)
        serving = Entrant(INCUMBENT, candidate.kind, tuple(members or [candidate]))
    return Field(
        tuple(entrants),
        known or Entrant(FLOOR, floor.kind, (floor,)),
        serving,
        reasons,
        auto=model.candidates == "auto",
    )


def _entrant(candidate: Candidate, singles: Sequence[Candidate]) -> Entrant:
    if not isinstance(candidate, Ensemble):
        return Entrant(candidate.label, candidate.kind, (candidate,))
    of = candidate.of
    if isinstance(of, str):
        pick = None if of == "all" else int(of.removeprefix("best-"))
        members = singles
    else:
        pick, members = None, [single for single in singles if single.label in of]
    if not members:
        raise ModelError(f"ensemble '{candidate.label}' has no members", hint="list other candidates beside it")
    return Entrant(candidate.label, candidate.kind, tuple(members), pick)


def run(panel: Panel, model: Model, field: Field, say: Say, workers: Workers) -> Outcome:
    """Run the backtest by `workers` and choose the champion by the spec's metric."""
    everyone = [*field.entrants, field.floor, *([field.incumbent] if field.incumbent else [])]
    everyone = list({entrant.label: entrant for entrant in everyone}.values())
    singles = {_key(member): member for entrant in everyone for member in entrant.members}
    cuts = cutoffs(panel, model.backtest)
    wide = forecasts(panel, cuts, singles, model.seed, say, workers)

    def rank(rows: pd.DataFrame) -> float:
        found = score(rows)[model.backtest.metric] if model.backtest.metric != "pinball" else score(rows)["wape"]
        return float("inf") if found is None else found

    rows, scores = [], {}
    for entrant in everyone:
        mine = entrant_rows(entrant, wide, [_key(member) for member in entrant.members], rank)
        mine = calibrated(mine, model.quantiles)
        rows.append(mine)
        scores[entrant.label] = score(mine, model.quantiles)
    champion = crown(field, scores, model.backtest.metric)
    keys = best(wide, [_key(member) for member in champion.members], champion.pick, rank)
    members = tuple(member for member in champion.members if _key(member) in keys)
    if field.incumbent:
        fixed = Entrant(DEPLOYED, champion.kind, members)
        fixed_rows = calibrated(entrant_rows(fixed, wide, [_key(member) for member in members], rank), model.quantiles)
        scores[DEPLOYED] = score(fixed_rows, model.quantiles)
    whole = pd.concat(rows, ignore_index=True)
    whole[CHAMPION] = whole[CANDIDATE] == champion.label
    return Outcome(whole, scores, champion, members, cuts)


def crown(field: Field, scores: dict[str, Metrics], metric: str) -> Entrant:
    """Return the entrant with the lowest `metric`; under `auto` the ensemble, if it is within 1 % of that.

    Raises ModelError when the metric has no value for anyone.
    """
    ranked = [(value, entrant) for entrant in field.entrants if (value := scores[entrant.label][metric]) is not None]
    if not ranked:
        raise ModelError(
            f"no candidate can be ranked by {metric}: it has no value over the backtest's windows",
            hint="with demand of zero throughout, no accuracy can be measured; rank by another metric, or use more windows",
        )
    lowest, champion = min(ranked, key=lambda pair: pair[0])
    for value, entrant in ranked:
        if field.auto and entrant.kind == "ensemble" and value <= lowest * (1 + PREFERENCE):
            return entrant
    return champion


def _key(candidate: Candidate) -> str:
    """Return what makes two candidates forecast alike: everything but their name. It begins with a brace."""
    return candidate.model_dump_json(exclude={"name"})


def by_label(scores: dict[str, Metrics], entrants: Sequence[Entrant]) -> list[dict[str, Any]]:
    """Return the table of candidates as JSON."""
    return [{"name": entrant.label, "kind": entrant.kind, "metrics": scores[entrant.label]} for entrant in entrants]
