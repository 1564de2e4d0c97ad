"""Step `backtest`: evaluates all candidates at the same past cutoffs, and selects the champion."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlspec.errors import BrokenModel
from mlspec.forecast import candidates as families
from mlspec.forecast.cold_start import BY_COLD_START
from mlspec.forecast.frame import ID, TARGET
from mlspec.forecast.scores import nominal_coverage, score_by_groups, score_rows
from mlspec.forecast.selection import DEPLOYED, INCUMBENT, CompetitionResult, by_label, gather_competitors
from mlspec.forecast.selection import run_competition as compete
from mlspec.jobs.cluster import connect_workers
from mlspec.jobs.context import read_spec, segment_columns
from mlspec.jobs.files import write_json, write_pieces
from mlspec.jobs.kept_results import KeptResults
from mlspec.jobs.levels import score_levels
from mlspec.jobs.model_code import locate_candidates, locate_chosen
from mlspec.jobs.parted_panel import open_panel
from mlspec.jobs.reconciled import is_reconciled, reconcile_outcome
from mlspec.spec.forecast import Forecast
from mlspec.spec.metrics import MAIN
from mlspec.spec.output_columns import METHOD
from mlspec.state.step import Progress, StepRequest, StepResult


def run(request: StepRequest, progress: Progress) -> StepResult:
    """Run the backtest. The option `incumbent` is the serving version's candidate, which is scored too.

    The input `incumbent` is that version's model file, where it has a model of the project's own: its code may be an older one.
    """
    spec = read_spec(request)
    panel = open_panel(request, spec)
    with connect_workers(spec.training) as pool:
        incumbent = request.options.get("incumbent")
        serving, code_gone = _locate_incumbent(request, spec, incumbent)
        model = locate_candidates(spec, request.root)
        competitors = gather_competitors(panel, model, serving, pool)
        outcome = compete(panel, model, competitors, progress, pool, KeptResults(request.kept).make)
        if is_reconciled(spec):
            outcome = reconcile_outcome(request, spec, panel, outcome, progress, pool)
    text = panel.layout.frequency.format_period
    champion = outcome.champion_rows
    facts = _backtest_facts(spec, outcome, code_gone) | {
        "cutoffs": [text(cutoff) for cutoff in outcome.cutoffs],
        "by": score_by_groups(
            champion, segment_columns(request, spec), spec.model.quantiles, spec.model.package_metrics
        ),
    }
    if spec.dataset.levels:
        facts["levels"] = score_levels(request, spec, panel, champion)
    if panel.layout.cold_start:
        facts["notes"] += [_cold_start_note(champion)]
    outputs = {
        "backtest": write_pieces(
            outcome.forecasts.divide_rows(outcome.champion.label), request.out / "backtest.parquet"
        ),
        "scores": write_json(facts, request.out / "scores.json"),
    }
    return StepResult(outputs, facts)


def _cold_start_note(champion: pd.DataFrame) -> str:
    """Return how good the cold starts of the backtest were, or that there was none."""
    rows = champion[(champion[METHOD] == BY_COLD_START) & champion[TARGET].notna()]
    if rows.empty:
        return "no series was new at a cutoff of the backtest: its scores say nothing of cold starts"
    wape = score_rows(rows)[MAIN.name]
    scored = (
        f"{len(rows):,} values of {rows[ID].nunique():,} series that were new at a cutoff are scored as cold starts"
    )
    return scored if wape is None else f"{scored}: {MAIN.title} {wape:.1%}"


def _locate_incumbent(
    request: StepRequest, spec: Forecast, incumbent: Any
) -> tuple[families.ChosenCandidate | None, tuple[str, ...]]:
    """Return the serving version's candidate, or None and why: no version serves, or the code of its model is gone."""
    if incumbent is None:
        return None, ()
    try:
        return locate_chosen(families.from_json(incumbent), spec, request.root, request.inputs), ()
    except BrokenModel as error:
        return None, (f"the version that serves: {error.message}",)


def _backtest_facts(spec: Forecast, outcome: CompetitionResult, code_gone: tuple[str, ...]) -> dict[str, Any]:
    champion, competitors = outcome.champion, outcome.competitors
    left_out = [*code_gone, *outcome.broken]
    chosen = families.choose_members(champion.label, champion.combine, outcome.members)
    return {
        "champion": champion.label,
        "champion_candidate": families.to_json(chosen),
        "windows": len(outcome.cutoffs),
        "metrics": outcome.scores[champion.label],
        "floor": outcome.scores[competitors.floor.label],
        "incumbent": outcome.scores[INCUMBENT] if competitors.incumbent else None,
        "deployed": outcome.scores[DEPLOYED] if competitors.incumbent else None,
        "candidates": by_label(outcome.scores, competitors.entrants),
        "auto": list(competitors.reasons),
        "notes": [*(f"left out: {why}" for why in left_out), *outcome.notes],
        "interval": nominal_coverage(spec.model.quantiles),
        **({"left_out": left_out} if left_out else {}),
        **({"incumbent_broken": True} if code_gone or outcome.incumbent_broken else {}),
    }
