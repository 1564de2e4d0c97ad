"""Facts of a history (number of series, length, intermittency), by which `auto` chooses candidates."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from mlspec.forecast.features import default_lags
from mlspec.forecast.frame import ID, TARGET, Panel
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import THIS_PROCESS, Workers, collect_parts
from mlspec.spec.auto_candidates import count_held_seasons
from mlspec.spec.candidate_costs import PanelSize

# Mean interval between demands from which demand is intermittent (Syntetos & Boylan 2005).
INTERMITTENT = 1.32
INTERVAL = "interval"


@dataclass(frozen=True)
class HistoryFacts:
    """`length`: median periods of a series at the first cutoff; `season` in periods; `intermittent`: share of the series;
    `rows`: periods at the first cutoff that have all default lags; `size`: how much there is of the whole history; `seasons`: how
    many of the frequency's seasons the median series has twice; `known`: whether there are known covariates.
    """

    series: int
    length: int
    season: int
    intermittent: float
    rows: int
    size: PanelSize
    seasons: int = 1
    known: bool = False


def history_facts(panel: PartedPanel, size: PanelSize, workers: Workers = THIS_PROCESS) -> HistoryFacts:
    """Return the facts of `panel`, which is the history at the first cutoff of a backtest; `size` is that of the whole history."""
    lengths = panel.series_lengths
    rows = (lengths - max(default_lags(panel.layout, int(lengths.median())))).clip(lower=0).sum()
    return HistoryFacts(
        series=len(lengths),
        length=int(lengths.median()),
        season=panel.layout.season,
        intermittent=intermittent_share(panel, workers),
        rows=int(rows),
        size=size,
        seasons=count_held_seasons(lengths.median(), panel.layout.frequency.seasons),
        known=bool(panel.layout.known),
    )


def panel_size(panel: PartedPanel, windows: int) -> PanelSize:
    """Return how much a backtest of so many windows on this panel works on."""
    lengths = panel.series_lengths
    return PanelSize(len(lengths), int(lengths.sum()), windows)


def intermittent_share(panel: PartedPanel, workers: Workers = THIS_PROCESS) -> float:
    """Return the share of series with intermittent demand."""
    return float((demand_intervals(panel, workers) >= INTERMITTENT).mean())


def demand_intervals(panel: PartedPanel, workers: Workers = THIS_PROCESS) -> pd.Series:
    """Return each series' mean interval between demands (ADI): periods / periods with demand; infinite without demand."""
    return collect_parts(panel, measure_intervals, workers).set_index(ID)[INTERVAL]


def measure_intervals(panel: Panel) -> pd.DataFrame:
    """Return the interval of `demand_intervals` of the series of one part."""
    groups = panel.frame[TARGET].ne(0).groupby(panel.frame[ID], sort=True)
    return (groups.size() / groups.sum().astype("float64")).rename(INTERVAL).rename_axis(ID).reset_index()
