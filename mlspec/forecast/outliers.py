"""Finds values that lie far outside of what their series usually has, which a forecast should not learn from.

The rule is that of Hyndman's `tsoutliers` (https://robjhyndman.com/hyndsight/tsoutliers/): what is left of a value without trend
and season lies beyond the quartiles by a multiple of their distance. Trend and season are medians, which an outlier does not
move: a running median over a season, and the median of the same phase in the other seasons. So a value is compared with its
neighbours in time and with its neighbours in season, and has to lie outside of both.

What can be explained is no outlier: a value beside which a known covariate has an unusual value; a period in which many series
are unusual, as on a day of an event; three in a row, which are a change of level; what happens to a series in more than 2 % of
its periods, as promotions do; the newest two periods, of which nobody knows what follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import ID, OBSERVED, TARGET, TIME, Panel
from mlspec.forecast.frequency import Frequency

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
USUAL = "usual"
# Quartile distances beyond a quartile. `tsoutliers` takes three, Tukey's (1977) "far out"; counts of demand are skewed, and one of
# 400 values of a Poisson distribution with mean 5 lies beyond that.
FAR = 5.0
LEAST_SIZE = 0.5  # of the usual size of the series: a smaller difference moves no forecast much
FEWEST = 24  # observed values of a series, and two seasons, before anything is unusual
OFTEN = 0.02  # share of a series' values: what happens more often is no outlier
EVENT_SHARE, EVENT_SERIES = 0.1, 3  # so many series that are unusual in one period are an event
RUN, NEWEST = 3, 2
_SHORTEST_TREND = 7
_MANY_SEASONS = 5
_BLOCK = 1_000  # series that are looked at together, so that memory stays small
_NAMED, _SHOWN = 100, 3


@dataclass(frozen=True)
class OutlierSearch:
    """The values of some series as a table, a row a period and a column a series; NaN where there is none. `season` in periods."""

    values: Array
    season: int

    def find(self) -> tuple[Flags, Array]:
        """Return where values are far outside, and what would be usual there."""
        trend = self._trend()
        rest = self.values - trend
        low, high = self._same_phase(rest)
        usual = trend + np.where(np.isfinite(high), (low + high) / 2, 0.0)
        below, above = _fences(rest - np.where(np.isfinite(high), (low + high) / 2, 0.0))
        too_high = (rest > above) & (rest - np.where(np.isfinite(high), high, 0.0) > above)
        too_low = (rest < below) & (rest - np.where(np.isfinite(low), low, 0.0) < below)
        counts = np.isfinite(self.values).sum(axis=0)
        found = (too_high | too_low) & (counts >= max(FEWEST, 2 * self.season))
        found &= np.abs(self.values - usual) > LEAST_SIZE * _column_medians(np.abs(self.values))
        found &= found.sum(axis=0) <= np.maximum(1, OFTEN * counts)
        return found & ~_in_run(found), usual

    def _trend(self) -> Array:
        width = max(self.season, _SHORTEST_TREND) // 2 * 2 + 1
        running = pd.DataFrame(self.values).rolling(width, center=True, min_periods=width // 2)
        trend: Array = running.median().to_numpy()
        return trend

    def _same_phase(self, rest: Array) -> tuple[Array, Array]:
        """Return the lowest and the highest median of a phase in the other seasons, of the phase itself and its neighbours.

        Only the phase itself counts in a short season: Saturday is no Friday, but Christmas moves between weeks.
        """
        if self.season < 2:
            nothing = np.full_like(rest, np.nan)
            return nothing, nothing
        medians = _other_medians(rest, self.season)
        if self.season < 12:
            return medians, medians
        near = [np.roll(medians, shift, axis=0) for shift in (-1, 0, 1)]
        return np.fmin.reduce(near), np.fmax.reduce(near)


def _other_medians(rest: Array, season: int) -> Array:
    """Return for each value the median of its phase in the other seasons; NaN where there is none.

    Of many seasons it is the median of all: one of them hardly moves it.
    """
    medians = np.full_like(rest, np.nan)
    for phase in range(min(season, len(rest))):
        own = rest[phase::season]
        if len(own) >= _MANY_SEASONS:
            medians[phase::season] = _column_medians(own)
        else:
            for place in range(len(own)):
                medians[phase + place * season] = _column_medians(np.delete(own, place, axis=0))
    return medians


def _column_medians(values: Array) -> Array:
    """Return the median of each column; NaN for one without values."""
    known = np.isfinite(values).any(axis=0)
    medians = np.full(values.shape[1], np.nan)
    if known.any():
        medians[known] = np.nanmedian(values[:, known], axis=0)
    return medians


def _fences(rest: Array) -> tuple[Array, Array]:
    """Return the bounds of each series; infinite for one whose values hardly differ, and for one without values."""
    below, above = np.full(rest.shape[1], -np.inf), np.full(rest.shape[1], np.inf)
    known = np.isfinite(rest).any(axis=0)
    if not known.any():
        return below, above
    first, third = np.nanquantile(rest[:, known], [0.25, 0.75], axis=0)
    distance = third - first
    below[known] = np.where(distance > 0, first - FAR * distance, -np.inf)
    above[known] = np.where(distance > 0, third + FAR * distance, np.inf)
    return below, above


def _in_run(found: Flags) -> Flags:
    """Return which are part of a run of RUN or more."""
    count = len(found) - RUN + 1
    inside = np.zeros_like(found)
    if count > 0:
        starts = np.logical_and.reduce([found[shift : shift + count] for shift in range(RUN)])
        for shift in range(RUN):
            inside[shift : shift + count] |= starts
    return inside


def find_outliers(panel: Panel) -> pd.DataFrame:
    """Return unique_id, ds, y and what would be usual of each outlier, sorted by series and time."""
    return leave_out_events(find_unusual(panel), len(panel.series_lengths))


def find_unusual(panel: Panel) -> pd.DataFrame:
    """Return what is unusual in its own series, which other series may explain: as `find_outliers`, of some series or all."""
    lengths = panel.series_lengths
    parts = [_find_in_block(panel, lengths, start) for start in range(0, len(lengths), _BLOCK)]
    return pd.concat(parts, ignore_index=True)


def leave_out_events(unusual: pd.DataFrame, series: int) -> pd.DataFrame:
    """Return the rows of `find_unusual` but those of periods in which many of all `series` are unusual; sorted."""
    if unusual.empty:
        return unusual
    at_once = unusual.groupby(TIME)[ID].transform("size")
    found = unusual[(at_once < EVENT_SERIES) | (at_once < EVENT_SHARE * series)]
    return found.sort_values([ID, TIME], kind="stable", ignore_index=True)


def _find_in_block(panel: Panel, lengths: pd.Series, start: int) -> pd.DataFrame:
    """Return the outliers of the series from one on, whose rows lie behind one another."""
    ends = lengths.cumsum().to_numpy()
    stop = min(start + _BLOCK, len(ends))
    frame = panel.frame.iloc[ends[start] - lengths.iloc[start] : ends[stop - 1]]
    counts = lengths.iloc[start:stop].to_numpy()
    table = np.full((int(counts.max()), stop - start), np.nan)  # each series ends with the last row
    of = np.arange(stop - start).repeat(counts)
    at = np.arange(len(frame)) - (np.cumsum(counts) - len(table)).repeat(counts)
    table[at, of] = frame[TARGET].where(frame[OBSERVED]).to_numpy(dtype="float64")
    found, usual = OutlierSearch(table, panel.layout.season).find()
    found[-NEWEST:] = False
    found &= np.isfinite(table).cumsum(axis=0) > 1  # of a first value nothing could be filled
    chosen = found[at, of]
    rows = frame.loc[chosen, [ID, TIME, TARGET]].assign(**{USUAL: usual[at, of][chosen]})
    return rows[~_explained(panel, rows)]


def _explained(panel: Panel, rows: pd.DataFrame) -> Flags:
    """Return for which rows a known covariate is not what it usually is in the series."""
    explained = np.zeros(len(rows), dtype=bool)
    if rows.empty or not panel.layout.known:
        return explained
    frame = panel.frame[panel.frame[ID].isin(rows[ID].unique())]
    for name in panel.layout.known:
        values = frame[name]
        usual = values.groupby(frame[ID]).transform("median" if values.dtype.kind in "fiub" else _most_frequent)
        unusual = frame.loc[(values != usual) & values.notna(), [ID, TIME]]
        explained |= pd.MultiIndex.from_frame(rows[[ID, TIME]]).isin(pd.MultiIndex.from_frame(unusual))
    return explained


def _most_frequent(values: pd.Series) -> Any:
    return values.mode().iloc[0] if values.notna().any() else None


def describe_outliers(found: pd.DataFrame, frequency: Frequency, handling: str) -> Iterator[str]:
    """Yield a sentence on outliers, if there are some."""
    if found.empty:
        return
    shown = ", ".join(
        f"'{name}' {frequency.format_period(time)} {_figure(value)} (usual {_figure(usual)})"
        for name, time, value, usual in found[[ID, TIME, TARGET, USUAL]].head(_SHOWN).itertuples(index=False)
    )
    more = f" and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
    one = len(found) == 1
    if handling == "replace":
        told = f"{'value is an outlier' if one else 'values are outliers'}, and no model learns from {'it' if one else 'them'}"
    else:
        told = (
            f"{'value looks like an outlier' if one else 'values look like outliers'}, and models learn from "
            f"{'it' if one else 'them'} (dataset.outliers: replace leaves {'it' if one else 'them'} out)"
        )
    yield f"{len(found):,} {told}: {shown}{more}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def list_outliers(found: pd.DataFrame, frequency: Frequency, handling: str) -> dict[str, Any]:
    """Return outliers as JSON: how many, what becomes of them, and the first: series, period, value and what would be usual."""
    rows: Sequence[Any] = list(found[[ID, TIME, TARGET, USUAL]].head(_NAMED).itertuples(index=False))
    return {
        "count": len(found),
        "handling": handling,
        "values": [
            [str(name), frequency.format_period(time), float(value), float(usual)] for name, time, value, usual in rows
        ],
    }
