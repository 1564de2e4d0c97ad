"""Proposes what the rows of a table mean, for `mlspec init`: the keys of `dataset` beside its columns, each with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlspec.forecast.aggregate import row_periods
from mlspec.forecast.date_frequency import find_frequency
from mlspec.forecast.frame import ID, TARGET, TIME
from mlspec.forecast.frequency import Frequency, OpenDays, parse_frequency, period_grid
from mlspec.forecast.frequency_guess import AGREE, day_part
from mlspec.forecast.idle import find_idle_series
from mlspec.forecast.spans import RowRules, SeriesSpans, series_spans
from mlspec.spec.calendar import DAYS

_FEWEST_WEEKS = 8  # of history, before a weekday without sales is a closed one
_OFTEN = 0.2  # share of absent periods from which filling them makes a forecast clearly too high
_SPARSE = 0.02  # share of absent periods from which rows look like sales and not like a history with some gaps


@dataclass(frozen=True)
class RowProposal:
    """A key of `dataset`, the value to write, and the reason. The keys are dotted: `checks.completeness`."""

    key: str
    value: Any
    reason: str

    @property
    def shown(self) -> str:
        """The value as a person reads it: {open: [MON, TUE]}."""
        return _show(self.value)


def _show(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_show(inner)}' for key, inner in value.items())}}}"
    return f"[{', '.join(map(_show, value))}]" if isinstance(value, tuple) else str(value)


@dataclass(frozen=True)
class RepeatedRows:
    """Several rows of a series and period: the period of each row, the frequency with its reason, and what `init` proposes."""

    periods: pd.Series
    alias: str
    why: str
    proposals: tuple[RowProposal, ...]


def is_clock_time(moments: pd.Series, alias: str | None) -> bool:
    """Return whether rows carry the time of a sale and not of a period: times that are no quarters of an hour, and irregular."""
    on_quarters = (moments.dt.minute % 15 == 0) & (moments.dt.second == 0)
    return alias is None and not on_quarters.all() and not _is_regular(moments)


def _is_regular(moments: pd.Series) -> bool:
    """Return whether times follow one another in steps that divide a day, each with as many rows as most others."""
    rows = moments.value_counts()
    steps = rows.index.to_series().sort_values().diff().dropna()
    return day_part(steps) is not None and bool((rows == rows.mode()[0]).mean() >= AGREE)


def find_repeated(keys: pd.DataFrame, moments: pd.Series, days: pd.Series, alias: str | None) -> RepeatedRows | None:
    """Return what to do with several rows of a series and period; None if there are none.

    `keys` are codes of the series columns, `moments` the times of the rows, and `days` their days if they are clock times. `alias`
    is the frequency that the user asks for, such as weeks for a table of days.
    """
    clock = not days.equals(moments)
    if alias is None:
        if not clock and not _repeats(keys, days).any():
            return None
        alias, why = find_frequency(days.dt.normalize()) or "D", "the days of the rows, of which a series has several"
    else:
        why = "named by the caller"
    periods = row_periods(days, parse_frequency(alias))
    count = int(_repeats(keys, periods).sum())
    if not count and not clock:
        return None
    reason = f"{count:,} of {len(days):,} rows are of a series and period that another row has: they are added up"
    return RepeatedRows(periods, alias, why, (RowProposal("aggregate", "sum", reason),))


def _repeats(keys: pd.DataFrame, periods: pd.Series) -> pd.Series:
    return keys.assign(**{"\0": periods}).duplicated()


def propose_rows(rows: pd.DataFrame, alias: str, horizon: int) -> list[RowProposal]:
    """Return the keys for a history (unique_id, ds, y) of a frequency; none if every series has every period."""
    frequency, calendar = parse_frequency(alias), []
    closed = _closed_weekdays(rows) if alias == "D" else ()
    if closed:
        weekdays = tuple(day for day in DAYS if day not in closed)
        frequency = replace(frequency, open_days=OpenDays(weekdays))
        reason = f"no {' and no '.join(closed)} of {(rows[TIME].max() - rows[TIME].min()).days:,} days has a sale: these are closed"
        calendar = [RowProposal("calendar", {"open": weekdays}, reason)]
        rows = rows[rows[TIME].isin(period_grid(rows[TIME], frequency))]
    missing = _propose_missing(rows, frequency, horizon)
    absent_is_zero = any(proposal.key == "missing" for proposal in missing)
    return [*calendar, *missing, *_propose_ended(rows, frequency, RowRules(horizon, absent_is_zero=absent_is_zero))]


def _propose_ended(rows: pd.DataFrame, frequency: Frequency, rules: RowRules) -> list[RowProposal]:
    """Return that a series without demand has ended, where some seem to: after twice the longest pause of those that still sell."""
    grid = period_grid(rows[TIME], frequency)
    span = series_spans(rows, grid, rules)
    idle = find_idle_series(rows, span, grid, rules)
    if idle.empty:
        return []
    sold = rows[(rows[TARGET] != 0) & rows[TARGET].notna() & ~rows[ID].isin(idle.index)]
    places = pd.Series(grid.get_indexer(sold[TIME]), index=sold[ID]).sort_values(kind="stable")
    between = places.groupby(level=0).diff().max()
    pause = int(between) if pd.notna(between) else 0
    after = min(2 * max(pause, rules.horizon), span.newest - int(idle.max()))
    days = math.ceil((grid[span.newest] - grid[span.newest - after]) / pd.Timedelta(days=1))
    count = f"{len(idle):,} of {len(span.first):,} series have sold nothing for longer than ever before"
    return [
        RowProposal("ended_after", f"{days}d", f"{count}; those that still sell paused for {pause:,} periods at most"),
        RowProposal("ended_when", "no-demand", "a product that is sold no more gets no forecast and no stock"),
    ]


def _propose_missing(rows: pd.DataFrame, frequency: Frequency, horizon: int) -> list[RowProposal]:
    grid = period_grid(rows[TIME], frequency)
    span = series_spans(rows, grid, RowRules(horizon))
    share = _absent_share(span)
    if not share:
        return []
    gaps = f"{share:.1%} of the periods between a series' first row and the newest period have no value"
    if _looks_like_sales(rows, span, share):
        return [
            RowProposal(
                "missing", "zero", f"{gaps}, and no row says 0: rows seem to be written where something was sold"
            )
        ]
    least = math.floor((1 - share) * 100) / 100
    return [RowProposal("checks.completeness", {"min": least}, f"{gaps}; they are filled, and never scored")]


def sparse_notes(span: SeriesSpans, *, only_sales: bool) -> tuple[str, ...]:
    """Return a sentence if rows seem to be written only where something was sold. `only_sales`: each has a value above 0."""
    share = _absent_share(span)
    if share < _OFTEN or not only_sales or not len(span.first):
        return ()
    gaps = f"{share:.0%} of the periods have no value, and no row says 0: they are filled as unknown, and never scored"
    return (f"{gaps}. If nothing was sold then, the forecast is too high: write dataset.missing: zero",)


def _absent_share(span: SeriesSpans) -> float:
    """Return the share of periods without a value, between a series' first row and the newest period unless it has ended."""
    absent = int((span.missing_inside + span.missing_at_end).sum())
    return absent / (int(span.present.sum()) + absent) if absent else 0.0


def _closed_weekdays(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return the weekdays of a daily history on which nothing is ever sold; none if it has few weeks, or few days with sales."""
    sold = pd.DatetimeIndex(rows.loc[rows[TARGET] > 0, TIME].unique())
    if len(sold) < _FEWEST_WEEKS or (sold.max() - sold.min()).days < 7 * _FEWEST_WEEKS:
        return ()
    counts = pd.Series(sold.dayofweek).value_counts().reindex(range(7), fill_value=0)
    weeks = (sold.max() - sold.min()).days / 7
    open_days = counts[counts > 0]
    return tuple(DAYS[day] for day in counts.index[counts == 0]) if open_days.min() >= weeks / 2 else ()


def _looks_like_sales(rows: pd.DataFrame, span: SeriesSpans, share: float) -> bool:
    return share >= _SPARSE and has_only_sales(rows[TARGET]) and bool(len(span.first))


def has_only_sales(values: pd.Series) -> bool:
    """Return whether every row has a value above 0."""
    return bool((values.dropna() > 0).all()) and bool(values.notna().all())


def as_history(keys: pd.DataFrame, days: pd.Series, values: pd.Series) -> pd.DataFrame:
    """Return unique_id, ds, y of a sample's rows, one a period; `keys` are codes of the series columns."""
    if keys.shape[1]:
        ids = keys.groupby(list(keys.columns), sort=False).ngroup()
    else:
        ids = pd.Series(np.zeros(len(keys), dtype="int64"), keys.index)
    rows = pd.DataFrame({ID: ids, TIME: days, TARGET: values.reindex(keys.index)})
    return rows.groupby([ID, TIME], as_index=False, sort=False)[TARGET].sum(min_count=1)
