"""Forecasts of sums of series: of each level of a hierarchy, and by week from days.

A mean of a level is the sum of its series' means, so that all levels agree. A quantile is none: the 90 % quantile of a sum is not
the sum of 90 % quantiles, unless all series always miss to the same side. So the quantiles of a level come from the errors of its
sums in the backtest, calibrated as those of a series are (`forecast.quantiles`). They are in order, and wider levels have
relatively narrower ones, as far as the errors of series even out. The outermost two hold the mean.

A sum has an actual value where enough of its series have one (`dataset.actuals.min_coverage`). Both sides are then summed over
those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from mlspec.forecast.exact_sums import ExactSums
from mlspec.forecast.frame import CUTOFF, ID, MEAN, OBSERVED, STEP, TARGET, TIME, Layout, Panel
from mlspec.forecast.load import join_ids
from mlspec.forecast.quantiles import RAW, add_quantiles, calibrate_windows, quantile_column
from mlspec.forecast.scales import series_scales
from mlspec.forecast.scores import group_text, score_rows
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts
from mlspec.spec.hierarchy import SERIES, Level

_NODE, _SEEN = "\0node", "seen"  # no column of a file has the first name: it stands beside the user's
_ONLY = "all series"  # the identifier of the only sum of a level without columns


@dataclass(frozen=True)
class LevelNodes:
    """The sums of one level. `of_series`: the identifier of each series' sum, by unique_id. `names`: the columns by identifier."""

    level: Level
    of_series: pd.Series
    names: pd.DataFrame


@dataclass(frozen=True)
class SumRules:
    """How sums are made: the quantiles to forecast, and the share of series that must have an actual value."""

    quantiles: Sequence[float]
    coverage: float


def level_nodes(level: Level, columns: pd.DataFrame) -> LevelNodes:
    """Return the sums of a level. `columns` has the series and static columns of each series, by unique_id."""
    if level.name == SERIES:
        named = columns.fillna("").map(group_text)
        return LevelNodes(level, pd.Series(columns.index, index=columns.index), named)
    texts = columns[list(level.columns)].fillna("").map(group_text)
    ids = join_ids([texts[name] for name in level.columns], texts.index) if level.columns else _ONLY
    nodes = pd.Series(ids, index=texts.index, dtype=object)
    names = texts.assign(**{_NODE: nodes}).drop_duplicates(_NODE).set_index(_NODE).sort_index()
    return LevelNodes(level, nodes, names)


def sum_panels(panel: PartedPanel, levels: Sequence[LevelNodes], coverage: float) -> list[Panel]:
    """Return the history of each level's sums, without covariates: a period counts as observed where enough of its series are.

    It reads one part of the panel after the other, and is the same to the last bit for any number of parts.
    """
    layout, sums = _without_covariates(panel.layout), [_HistoryOfSums(nodes, panel.times) for nodes in levels]
    for read in panel.part_readers():
        frame = read().frame
        for each in sums:
            each.add(frame)
    frames = [each.frame(coverage) for each in sums]
    return [
        Panel(frame, frame[[ID]].drop_duplicates(ignore_index=True), frame[[ID, TIME]][:0], layout) for frame in frames
    ]


def level_histories(panel: PartedPanel, levels: Sequence[LevelNodes], coverage: float) -> list[PartedPanel]:
    """Return the history of each level's sums, as `sum_panels` does. The level of the series has theirs."""
    sums = iter(sum_panels(panel, [nodes for nodes in levels if nodes.level.name != SERIES], coverage))
    own = replace(panel, layout=_without_covariates(panel.layout))
    return [own if nodes.level.name == SERIES else next(sums) for nodes in levels]


def _without_covariates(layout: Layout) -> Layout:
    return replace(layout, known=(), past=(), static=(), computed=(), cold_start=False)


class _HistoryOfSums:
    """The sums of one level over all periods, to which one part of a panel after the other is added."""

    def __init__(self, nodes: LevelNodes, times: pd.DatetimeIndex) -> None:
        self._of_series, self._times = nodes.of_series, times
        self._names = pd.Index(sorted(nodes.of_series.unique()))
        places = len(self._names) * len(times)
        self._targets = ExactSums(places)
        self._rows, self._observed = (np.zeros(places, dtype="int64") for _ in range(2))

    def add(self, frame: pd.DataFrame) -> None:
        """Add the rows of some series."""
        node = self._names.get_indexer(frame[ID].map(self._of_series))
        place, known = node * len(self._times) + self._times.get_indexer(frame[TIME]), node >= 0
        self._targets.add(place[known], frame[TARGET].to_numpy(dtype="float64")[known])
        self._rows += np.bincount(place[known], minlength=len(self._rows))
        self._observed += np.bincount(place[known & frame[OBSERVED].to_numpy()], minlength=len(self._rows))

    def frame(self, coverage: float) -> pd.DataFrame:
        """Return unique_id, ds, y and observed of each sum and period that has rows, sorted."""
        (places,) = self._rows.nonzero()
        node, period = np.divmod(places, len(self._times))
        share = self._observed[places] / self._rows[places]
        return pd.DataFrame(
            {
                ID: self._names[node], TIME: self._times[period], TARGET: self._targets.totals()[places],
                OBSERVED: share >= coverage,
            }
        )  # fmt: skip


def past_sums(
    past: pd.DataFrame,
    history: PartedPanel,
    nodes: LevelNodes,
    coverage: float,
    parts: Mapping[int, int] | None = None,
) -> pd.DataFrame:
    """Return a backtest's rows of a level's sums: unique_id, cutoff, h, y, mean, scales.

    With `parts`, the part of the horizon that each period ahead is in, each row is also a sum over a part, and h its number.
    """
    known = past[TARGET].notna()
    rows = pd.DataFrame(
        {
            ID: past[ID].map(nodes.of_series), CUTOFF: past[CUTOFF], STEP: past[STEP].map(parts) if parts else past[STEP],
            TARGET: past[TARGET], MEAN: past[MEAN].where(known), _SEEN: known,
        }
    )  # fmt: skip
    grouped = rows.dropna(subset=[ID, STEP]).groupby([ID, CUTOFF, STEP], sort=True)
    sums = grouped[[TARGET, MEAN]].sum(min_count=1)
    sums[TARGET] = sums[TARGET].where(grouped[_SEEN].mean() >= coverage)
    sums = sums.reset_index().astype({STEP: "int64"})
    cutoffs = sorted(past[CUTOFF].unique())
    scales = collect_parts(history, partial(_scales_at, cutoffs), begun_by=cutoffs[-1])
    return sums.merge(scales, on=[ID, CUTOFF], how="left")


def _scales_at(cutoffs: Sequence[pd.Timestamp], part: Panel) -> pd.DataFrame:
    """Return the scales of a part's series, as known at each cutoff."""
    known = {cutoff: replace(part, frame=part.frame[part.frame[TIME] <= cutoff]) for cutoff in cutoffs}
    cuts = [series_scales(panel).assign(**{CUTOFF: cutoff}) for cutoff, panel in known.items() if len(panel.frame)]
    return pd.concat(cuts, ignore_index=True)


def forecast_sums(
    rows: pd.DataFrame,
    past: pd.DataFrame,
    history: PartedPanel,
    nodes: LevelNodes,
    rules: SumRules,
    parts: Mapping[int, int] | None = None,
) -> pd.DataFrame:
    """Return unique_id, h, mean and quantiles of a level's sums. `rows` are the same of the series, and `history` is the level's.

    Where the backtest has no error of such a sum, the quantiles are the sums of those of the series: as if all missed to one side.
    """
    columns = [quantile_column(q) for q in rules.quantiles]
    block = rows[STEP].map(parts) if parts else rows[STEP]
    keys = [rows[ID].map(nodes.of_series).rename(ID), block.rename(STEP)]
    sums = rows.groupby(keys, sort=True)[[MEAN, *columns]].sum().reset_index().astype({STEP: "int64"})
    scales = series_scales(history)
    ahead = sums[[ID, STEP, MEAN]].merge(scales, on=ID, how="left")
    made = add_quantiles(ahead, past_sums(past, history, nodes, rules.coverage, parts), rules.quantiles)
    for name in columns:
        sums[name] = made[name].where(made[name].notna(), sums[name])
    return _widen_to_means(sums, rules.quantiles)


def _widen_to_means(sums: pd.DataFrame, quantiles: Sequence[float]) -> pd.DataFrame:
    """Return sums whose outermost quantiles hold the mean.

    A series' mean that lies outside of its interval is corrected. That of a level stays, as it is the sum of its series' means.
    """
    low, high = min(quantiles), max(quantiles)
    wider = {}
    if low < 0.5:
        wider[quantile_column(low)] = np.minimum(sums[quantile_column(low)], sums[MEAN])
    if high > 0.5:
        wider[quantile_column(high)] = np.maximum(sums[quantile_column(high)], sums[MEAN])
    return sums.assign(**wider)


def score_level(past: pd.DataFrame, history: PartedPanel, nodes: LevelNodes, rules: SumRules) -> dict[str, Any]:
    """Return the accuracy of a level's sums in a backtest, as JSON; the quantiles of each window come from the other windows."""
    sums = past_sums(past, history, nodes, rules.coverage)
    with_quantiles = calibrate_windows(sums, rules.quantiles)
    kept = with_quantiles.assign(**{MEAN: with_quantiles[RAW]})
    kept = _widen_to_means(kept, rules.quantiles)
    return {"level": nodes.level.name, "series": len(nodes.names), "metrics": score_rows(kept, rules.quantiles)}


def week_parts(times: pd.DatetimeIndex, first_day: int) -> tuple[dict[int, int], list[pd.Timestamp]]:
    """Return the week that each period ahead is in, numbered from 1, and the day on which each week begins.

    `first_day` is the weekday on which weeks begin; 0 is Monday. The first and the last week may lie in the horizon only in part.
    """
    begins = times.normalize() - pd.to_timedelta((times.weekday - first_day) % 7, unit="D")
    numbers, weeks = pd.factorize(begins)
    return {step: int(number) + 1 for step, number in enumerate(numbers, 1)}, [pd.Timestamp(week) for week in weeks]


def name_sums(sums: pd.DataFrame, nodes: LevelNodes, columns: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the columns that name sums: the level, and a value or nothing for each of `columns`."""
    yield "level", np.repeat(nodes.level.name, len(sums))
    for name in columns:
        known = name in nodes.names
        yield (
            name,
            (nodes.names[name].reindex(sums[ID]).to_numpy() if known else np.full(len(sums), None, dtype=object)),
        )
