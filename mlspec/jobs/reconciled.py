"""Reconciles the levels of a hierarchy in the steps `backtest` and `forecast` (`forecast.reconcile`)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mlspec.forecast import candidates as families
from mlspec.forecast.artifact import ModelArtifact, load_model
from mlspec.forecast.backtest import Say, forecast_windows
from mlspec.forecast.entrant_forecasts import CHAMPION
from mlspec.forecast.frame import CANDIDATE, MEAN, STEP, TIME
from mlspec.forecast.levels import level_nodes
from mlspec.forecast.quantiles import calibrate_windows, own_column
from mlspec.forecast.reconcile import (
    BASE,
    LEVEL_SUMS,
    BaseErrors,
    LevelSums,
    fitting_method,
    import_methods,
    level_candidate,
    reconcile_rows,
    reconcile_windows,
)
from mlspec.forecast.scores import score_rows
from mlspec.forecast.selection import CompetitionResult
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import Workers
from mlspec.jobs.context import hierarchy_columns
from mlspec.jobs.levels import score_levels
from mlspec.spec.forecast import Forecast
from mlspec.spec.hierarchy import BOTTOM_UP, Reconciliation
from mlspec.spec.metrics import MAIN
from mlspec.state.step import StepRequest


def is_reconciled(spec: Forecast) -> bool:
    """Return whether the levels of a spec have forecasts of their own, to which the series' are corrected."""
    return spec.dataset.reconcile != BOTTOM_UP and bool(spec.dataset.levels)


def reconcile_outcome(
    request: StepRequest, spec: Forecast, panel: PartedPanel, outcome: CompetitionResult, say: Say, workers: Workers
) -> CompetitionResult:
    """Return the result of a backtest with the champion's forecasts corrected, and scored so. Its rows have the levels' own, too.

    Raises MissingExtra if the library is not installed.
    """
    import_methods()
    sums = _level_sums(request, spec, panel)
    champion = outcome.champion_rows
    chosen = level_candidate(families.choose_members(outcome.champion.label, outcome.champion.combine, outcome.members))
    level_rows = _backtest_levels(sums, outcome, chosen, spec, say, workers)
    method, note = _method(spec, panel, sums)
    base = _uncalibrated(champion)
    corrected = reconcile_windows(base, level_rows, sums, method)
    moved = _with_mean(base.assign(**{BASE: base[MEAN]}), corrected, spec)
    after = calibrate_windows(moved, spec.model.quantiles)
    scores = {
        **outcome.scores,
        outcome.champion.label: score_rows(after, spec.model.quantiles, spec.model.package_metrics),
    }
    told = _gain_note(request, spec, panel, champion, after, method)
    own = {label: means for label, means in outcome.forecasts.own.items() if label != outcome.champion.label}
    own[outcome.champion.label] = after.drop(columns=[*outcome.forecasts.periods, CANDIDATE])
    forecasts = replace(outcome.forecasts, own=own, level_rows=level_rows.assign(**{CANDIDATE: LEVEL_SUMS}))
    notes = (*outcome.notes, *([note] if note else []), told)
    return replace(outcome, forecasts=forecasts, scores=scores, notes=notes)


def reconcile_forecast(
    request: StepRequest,
    spec: Forecast,
    panel: PartedPanel,
    rows: pd.DataFrame,
    past: pd.DataFrame,
    model: Path,
    workers: Workers,
) -> pd.DataFrame:
    """Return the forecast of the series (unique_id, ds, h, mean, floor) corrected by that of the levels.

    `past` is the backtest of the version, and `model` its file. A version whose backtest has no levels is left as it is.
    """
    level_past = past[past[CANDIDATE] == LEVEL_SUMS]
    if level_past.empty or BASE not in past:
        return rows
    sums = _level_sums(request, spec, panel)
    artifact = load_model(model.read_bytes())
    chosen = level_candidate(artifact.chosen)
    of_levels = ModelArtifact(chosen, tuple((member, None) for member in chosen.parts), artifact.seed)
    times = panel.layout.horizon_after(panel.cutoff)
    level_rows = of_levels.forecast(sums.panel, workers)
    level_rows[STEP] = times.get_indexer(level_rows[TIME]) + 1
    errors = BaseErrors.measured(past[past[CHAMPION]], level_past, BASE)
    corrected = reconcile_rows(rows, level_rows, errors, sums, _method(spec, panel, sums)[0])
    return _with_mean(rows, pd.Series(corrected, index=rows.index), spec)


def _level_sums(request: StepRequest, spec: Forecast, panel: PartedPanel) -> LevelSums:
    columns = hierarchy_columns(request, spec)
    nodes = [level_nodes(level, columns) for level in spec.dataset.levels]
    return LevelSums.of(panel, nodes, spec.dataset.actuals.min_coverage)


def _method(spec: Forecast, panel: PartedPanel, sums: LevelSums) -> tuple[Reconciliation, str]:
    return fitting_method(spec.dataset.reconcile, len(panel.series) + len(sums.panel.series))


def _backtest_levels(
    sums: LevelSums,
    outcome: CompetitionResult,
    chosen: families.ChosenCandidate,
    spec: Forecast,
    say: Say,
    workers: Workers,
) -> pd.DataFrame:
    """Return the forecasts of the levels from the cutoffs of a backtest."""
    singles = {f"{{level {number}": member for number, member in enumerate(chosen.parts)}
    made = forecast_windows(sums.panel, outcome.cutoffs, singles, spec.model.seed, say, workers)
    return made.periods.assign(**{MEAN: families.combine_means(made.means[list(singles)], chosen.combine)})


def _uncalibrated(champion: pd.DataFrame) -> pd.DataFrame:
    """Return a champion's rows with the mean that it forecast, before quantiles were made and the mean was corrected by them."""
    from mlspec.forecast.quantiles import RAW

    return champion.assign(**{MEAN: champion[RAW]}).drop(columns=RAW).reset_index(drop=True)


def _with_mean(rows: pd.DataFrame, mean: pd.Series, spec: Forecast) -> pd.DataFrame:
    """Return rows with another mean; a model's own quantiles move by as much."""
    own = [name for name in map(own_column, spec.model.quantiles) if name in rows]
    moved = {name: rows[name] + (mean - rows[MEAN]) for name in own}
    return rows.assign(**{MEAN: mean, **moved})


def _gain_note(
    request: StepRequest,
    spec: Forecast,
    panel: PartedPanel,
    before: pd.DataFrame,
    after: pd.DataFrame,
    method: Reconciliation,
) -> str:
    """Return a sentence on the error of each level before and after."""
    figures: list[tuple[str, Any, Any]] = [
        ("series", score_rows(before)[MAIN.name], score_rows(after)[MAIN.name]),
        *(
            (old["level"], old["metrics"][MAIN.name], new["metrics"][MAIN.name])
            for old, new in zip(
                score_levels(request, spec, panel, before), score_levels(request, spec, panel, after), strict=True
            )
        ),
    ]
    told = ", ".join(
        f"{name} {new:.2%} (bottom-up {old:.2%})" for name, old, new in figures if old is not None and new is not None
    )
    return f"levels are reconciled by {method}; {MAIN.title} in the backtest: {told}"
