"""Step `backtest`: all candidates on the same past cutoffs; the champion, and how good it is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlspec.forecast import candidates as families
from mlspec.forecast.frame import ID, PREFIX
from mlspec.forecast.scores import nominal, score_by
from mlspec.forecast.selection import DEPLOYED, INCUMBENT, Field, Outcome, by_label, enter
from mlspec.forecast.selection import run as compete
from mlspec.jobs.cluster import workers
from mlspec.jobs.context import own_names, panel_of, spec_of
from mlspec.jobs.files import read_table, write_json, write_table
from mlspec.spec.forecast import Forecast
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Run the backtest. The option `incumbent`, a serving version's candidate, is scored beside the others."""
    spec = spec_of(request)
    panel = panel_of(request, spec)
    with workers(spec.training) as who:
        field = enter(panel, spec.model, request.options.get("incumbent"), who)
        outcome = compete(panel, spec.model, field, progress, who)
    text = panel.layout.frequency.text
    facts = _facts(spec, field, outcome) | {
        "cutoffs": [text(cutoff) for cutoff in outcome.cutoffs],
        "by": score_by(outcome.of(outcome.champion.label), _groups(request, spec), spec.model.quantiles),
    }
    outputs = {
        "backtest": write_table(outcome.rows, request.out / "backtest.parquet"),
        "scores": write_json(facts, request.out / "scores.json"),
    }
    return StepResult(outputs, facts)


def _facts(spec: Forecast, field: Field, outcome: Outcome) -> dict[str, Any]:
    champion = outcome.champion
    candidate = families.to_json(champion.label, champion.kind, outcome.members)
    return {
        "champion": champion.label,
        "champion_candidate": candidate,
        "windows": spec.model.backtest.windows,
        "metrics": outcome.scores[champion.label],
        "floor": outcome.scores[field.floor.label],
        "incumbent": outcome.scores[INCUMBENT] if field.incumbent else None,
        "deployed": outcome.scores[DEPLOYED] if field.incumbent else None,
        "candidates": by_label(outcome.scores, field.entrants),
        "auto": list(field.reasons),
        "notes": list(outcome.notes),
        "interval": nominal(spec.model.quantiles),
    }


def _groups(request: StepRequest, spec: Forecast) -> pd.DataFrame:
    """Return the series and static columns by unique_id, under the user's names."""
    series = read_table(request.inputs["series"]).set_index(ID)
    static = {name: series[PREFIX + name] for name in spec.dataset.covariates.static}
    return own_names(request, spec).assign(**static)
