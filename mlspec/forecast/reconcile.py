"""Corrects the forecasts of series so that they agree with forecasts that the levels above them have by themselves.

The methods are those of the library hierarchicalforecast (Wickramasuriya, Athanasopoulos & Hyndman 2019, minimum trace).
`mint-shrink` and `wls-var` weigh by the errors of forecasts. The errors of the backtest are taken, not those of the fit: they
exist for every kind of candidate, also for ensembles and models of the project's own, and the fit of a flexible model looks
better than its forecasts are. They are all steps of the horizon together. In the backtest each window is corrected by the errors
of the other windows.

A level's own forecast is made by those members of the champion that are estimated anew for each forecast, as a level has no
trained model; by exponential smoothing and theta, if the champion has no such member.

A series with hardly any error in the backtest, as a new one, keeps its forecast: nothing says how sure it is.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.errors import MissingExtra
from mlspec.forecast.candidates import ChosenCandidate
from mlspec.forecast.frame import CUTOFF, ID, MEAN, STEP, TARGET, TIME, Panel
from mlspec.forecast.levels import LevelNodes, sum_panels
from mlspec.forecast.scales import FLOOR
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.spec.candidates import AutoEts, Ensemble, Theta
from mlspec.spec.hierarchy import Reconciliation

logger = logging.getLogger(__name__)
Array = npt.NDArray[np.float64]
BASE = "base_mean"  # the column of a series' mean before it was corrected
LEVEL_SUMS = "(levels)"  # the label of the rows of a backtest with the levels' own forecasts
MOST_FOR_COVARIANCE = 3_000  # series and sums: their covariance then has 9 million values
INSTEAD: Reconciliation = "wls-struct"  # needs no errors
_FEWEST_ERRORS = 2
_TRAINED = ("gradient-boosting", "custom")


def level_candidate(champion: ChosenCandidate) -> ChosenCandidate:
    """Return what forecasts the sums of levels: the champion, without the members that a training makes."""
    members = tuple(member for member in champion.parts if member.kind not in _TRAINED)
    if members == champion.parts:
        return champion
    members = members or (AutoEts(kind="auto-ets", covariates=False), Theta(kind="theta", covariates=False))
    if len(members) == 1:
        return ChosenCandidate(members[0])
    labels = tuple(member.label for member in members)
    return ChosenCandidate(
        Ensemble(kind="ensemble", name="levels", of=labels, combine=champion.combine or "median"), members
    )


def fitting_method(asked: Reconciliation, count: int) -> tuple[Reconciliation, str]:
    """Return the method for so many series and sums, and a sentence if it is not the one that was asked for."""
    if asked != "mint-shrink" or count <= MOST_FOR_COVARIANCE:
        return asked, ""
    why = f"{count:,} series and sums have a covariance of {count**2 / 1e6:,.0f} million values"
    return (
        INSTEAD,
        f"levels are reconciled by {INSTEAD}, not by {asked}: {why}, and {MOST_FOR_COVARIANCE:,} are the most",
    )


@dataclass(frozen=True)
class LevelSums:
    """All sums above the series: their levels, and the history of all of them as one panel."""

    levels: Sequence[LevelNodes]
    panel: Panel

    @classmethod
    def of(cls, panel: PartedPanel, levels: Sequence[LevelNodes], coverage: float) -> LevelSums:
        """Return the sums of a panel."""
        parts = list(zip(levels, sum_panels(panel, levels, coverage), strict=True))
        frames = [part.frame.assign(**{ID: _names(nodes, part.frame[ID])}) for nodes, part in parts]
        frame = pd.concat(frames, ignore_index=True).sort_values([ID, TIME], ignore_index=True)
        series = frame[[ID]].drop_duplicates(ignore_index=True)
        return cls(levels, Panel(frame, series, frame[[ID, TIME]][:0], parts[0][1].layout))

    def summing_rows(self, series: pd.Index) -> pd.DataFrame:
        """Return pairs of a sum's name and the position of each of its series, among those given."""
        pairs = [
            pd.DataFrame({"sum": _names(nodes, nodes.of_series.reindex(series)), "place": np.arange(len(series))})
            for nodes in self.levels
        ]
        return pd.concat(pairs, ignore_index=True)


def _names(nodes: LevelNodes, ids: pd.Series) -> npt.NDArray[np.object_]:
    """Return the names of sums that are unique over all levels."""
    names: npt.NDArray[np.object_] = np.array([f"{nodes.level.name}:{name}" for name in ids], dtype=object)
    return names


def reconcile_windows(
    champion: pd.DataFrame, level_rows: pd.DataFrame, sums: LevelSums, method: Reconciliation
) -> pd.Series:
    """Return the corrected mean of each row of a backtest, each window by the errors of the others.

    Both frames have unique_id, cutoff, h, y and mean; `champion` also has the floor of each series.
    """
    corrected = pd.Series(champion[MEAN].to_numpy(copy=True), index=champion.index)
    for cutoff in sorted(champion[CUTOFF].unique()):
        own, of_levels = champion[CUTOFF] == cutoff, level_rows[CUTOFF] == cutoff
        errors = BaseErrors.measured(champion[~own], level_rows[~of_levels], MEAN)
        corrected[own] = reconcile_rows(champion[own], level_rows[of_levels], errors, sums, method)
    return corrected


@dataclass(frozen=True)
class BaseErrors:
    """What forecasts missed by: actual values and forecasts of each series and sum, a column for each cutoff and step."""

    actual: pd.DataFrame
    forecast: pd.DataFrame

    @classmethod
    def measured(cls, series: pd.DataFrame, sums: pd.DataFrame, mean: str) -> BaseErrors:
        """Return the errors of a backtest's rows; `mean` is the column with the series' forecasts before they were corrected."""
        rows = pd.concat(
            [series[[ID, CUTOFF, STEP, TARGET]].assign(mean=series[mean]), sums[[ID, CUTOFF, STEP, TARGET, MEAN]]]
        )
        wide = rows.pivot(index=ID, columns=[CUTOFF, STEP], values=[TARGET, MEAN]).sort_index(axis=1)
        return cls(wide[TARGET], wide[MEAN])

    def known(self, ids: pd.Index) -> npt.NDArray[np.bool_]:
        """Return which of these have enough errors."""
        counts = (self.actual - self.forecast).notna().sum(axis=1)
        enough: npt.NDArray[np.bool_] = (counts.reindex(ids).fillna(0) >= _FEWEST_ERRORS).to_numpy()
        return enough


def reconcile_rows(
    rows: pd.DataFrame, level_rows: pd.DataFrame, errors: BaseErrors, sums: LevelSums, method: Reconciliation
) -> Array:
    """Return the corrected mean of each row of one forecast: unique_id, h, mean, floor. `level_rows` are those of the sums."""
    base = rows.pivot(index=ID, columns=STEP, values=MEAN)
    of_levels = level_rows.pivot(index=ID, columns=STEP, values=MEAN)[list(base.columns)]
    moves = errors.known(base.index)
    pairs = sums.summing_rows(base.index)
    kept = pairs[~moves[pairs["place"]]]
    kept_sums = base.iloc[kept["place"]].groupby(kept["sum"].to_numpy()).sum()
    pairs = pairs[moves[pairs["place"]]]
    names = pd.Index(np.sort(pairs["sum"].unique()))
    names = names[errors.known(names) & names.isin(of_levels.index)]
    pairs = pairs[pairs["sum"].isin(names)]
    if not len(pairs):
        return rows[MEAN].to_numpy()
    ids = base.index[moves]
    places = np.cumsum(moves) - 1
    aggregates = of_levels.loc[names] - kept_sums.reindex(names).fillna(0.0)
    problem = _Problem(
        names.append(ids), len(ids), names.get_indexer(pairs["sum"]), places[pairs["place"]],
        np.vstack([aggregates.to_numpy(), base[moves].to_numpy()]), errors,
    )  # fmt: skip
    bottom = problem.solve(method)
    base.loc[ids] = bottom
    changed = base.stack().rename("changed").reset_index()
    values = rows[[ID, STEP]].merge(changed, on=[ID, STEP], how="left")["changed"].to_numpy()
    return np.maximum(values, rows[FLOOR].to_numpy())


@dataclass(frozen=True)
class _Problem:
    """One reconciliation: names of sums, then of `count` series; which sum has which series; their forecasts; their errors."""

    names: pd.Index
    count: int
    sum_of: npt.NDArray[np.int64]
    series_of: npt.NDArray[np.int64]
    base: Array
    errors: BaseErrors

    def solve(self, method: Reconciliation) -> Array:
        """Return the corrected forecasts of the series. Where the errors allow no solution, `INSTEAD` is taken."""
        try:
            return self._solve(method)
        except MissingExtra:
            raise
        except Exception as error:  # noqa: BLE001  (the library raises no class of its own)
            logger.warning("%s has no solution, so that %s is taken: %s", method, INSTEAD, error)
            return self._solve(INSTEAD)

    def _solve(self, method: Reconciliation) -> Array:
        methods, summing = import_methods(), self._summing()
        actual, fitted = (self.errors.actual.loc[self.names], self.errors.forecast.loc[self.names])
        name = method.replace("-", "_")
        dense = method == "mint-shrink"
        reconciler = methods.MinTrace(name) if dense else methods.MinTraceSparse(name)
        result = reconciler.fit_predict(
            summing.toarray() if dense else summing, self.base, actual.to_numpy(), fitted.to_numpy()
        )
        bottom: Array = result[MEAN][-self.count :]
        if not np.isfinite(bottom).all():
            raise ValueError("a corrected forecast is not a finite number")
        return bottom

    def _summing(self) -> Any:
        """Return the sparse matrix that makes all forecasts of those of the series."""
        from scipy import sparse

        shape = (len(self.names) - self.count, self.count)
        above = sparse.csr_matrix((np.ones(len(self.sum_of)), (self.sum_of, self.series_of)), shape=shape)
        return sparse.vstack([above, sparse.identity(self.count, format="csr")], format="csr")


def import_methods() -> Any:
    """Return the methods of the library. Raises MissingExtra if it is not installed."""
    try:
        from hierarchicalforecast import methods
    except ImportError as error:
        raise MissingExtra("hierarchicalforecast", "hierarchy") from error
    return methods
