"""Makes one row of several rows of a series and period: transactions, or days that are forecast as weeks.

A period at an end of the data counts only if it is complete: half a week is no week. It is complete if its rows reach as far as
those of most other periods do, so that a shop that is closed on Sundays has complete weeks too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pandas as pd

from mlspec.forecast.frame import ID, TARGET, TIME
from mlspec.forecast.frequency import ENDS_ON_ITS_DATE, Frequency
from mlspec.forecast.load import TypedRows
from mlspec.forecast.row_notes import COUNT, RowNote

How = Literal["sum", "mean", "last"]
_USUAL = 0.95  # share of the periods whose rows reach as far as those of a complete one have to


@dataclass(frozen=True)
class AggregatedRows:
    """Rows with one row for each series and period, and sentences on the rows that wait for the rest of their period."""

    rows: TypedRows
    notes: tuple[RowNote, ...] = ()


def aggregate_rows(rows: TypedRows, frequency: Frequency, how: How, now: pd.Timestamp) -> AggregatedRows:
    """Return one row for each series and period. `now` is what the dataset's clocks show: an incomplete period is left out."""
    if rows.frame.empty:
        return AggregatedRows(rows)
    periods = row_periods(rows.frame[TIME], frequency)
    notes, incomplete = [], _incomplete_periods(rows.frame[TIME], periods, frequency, now)
    for period, word in incomplete.items():
        count = int((periods == period).sum())
        sentence = f"the {word} period, {frequency.format_period(period)}, is not complete"
        notes.append(RowNote(f"{sentence}: {COUNT} rows of it are left out", count))
    kept = ~periods.isin(list(incomplete))
    frame = join_rows(rows.frame[kept].assign(**{TIME: periods[kept]}), rows.frame.loc[kept, TIME], how)
    return AggregatedRows(replace(rows, frame=frame), tuple(notes))


def row_periods(times: pd.Series, frequency: Frequency) -> pd.Series:
    """Return the period to which each time belongs. A time between business days belongs to none, and stays as it is."""
    if times.empty or frequency.base == "B" or frequency.open_days is not None:
        return times.dt.normalize()
    distinct = pd.DatetimeIndex(times.unique())
    if isinstance(frequency.offset, pd.offsets.Tick):
        return times.map(pd.Series(distinct.floor(frequency.alias), distinct))
    days = distinct.normalize()
    if frequency.base in ENDS_ON_ITS_DATE:
        grid = pd.date_range(
            frequency.offset.rollforward(days.min()), days.max() + frequency.offset, freq=frequency.offset
        )
        places = grid.searchsorted(days)
    else:
        grid = pd.date_range(frequency.offset.rollback(days.min()), days.max(), freq=frequency.offset)
        places = grid.searchsorted(days, side="right") - 1
    return times.map(pd.Series(grid[places], distinct))


def _incomplete_periods(
    times: pd.Series, periods: pd.Series, frequency: Frequency, now: pd.Timestamp
) -> dict[pd.Timestamp, str]:
    """Return the first and the newest period, if the rows do not reach as far in it as they usually do."""
    spans = times.groupby(periods).agg(["min", "max"])
    ends = pd.Series([frequency.period_end(period) for period in spans.index], spans.index)
    starts = pd.Series([_period_start(period, frequency) for period in spans.index], spans.index)
    before, behind = spans["min"] - starts, ends - spans["max"]
    first, newest = spans.index[0], spans.index[-1]
    incomplete = {}
    if len(spans) > 1 and before[first] > before.drop(first).quantile(_USUAL, "higher"):
        incomplete[first] = "first"
    if ends[newest] > now or (len(spans) > 1 and behind[newest] > behind.drop(newest).quantile(_USUAL, "higher")):
        incomplete[newest] = "newest"
    return incomplete


def _period_start(period: pd.Timestamp, frequency: Frequency) -> pd.Timestamp:
    if frequency.base in ENDS_ON_ITS_DATE:
        return period - frequency.offset + pd.Timedelta(days=1)
    return period


def join_plan_rows(plan: TypedRows, frequency: Frequency) -> TypedRows:
    """Return a plan of known covariates with one row for each series and period, also where it has a row a day.

    A last period of which it has only the beginning is left out: the mean of two days is none of a week.
    """
    times = plan.frame[TIME]
    periods = row_periods(times, frequency)
    frame = plan.frame.assign(**{TIME: periods})
    if not frame.duplicated([ID, TIME]).any():
        return replace(plan, frame=frame)
    if _is_cut_off(times, periods, frequency):
        frame = frame[periods < periods.max()]
    return replace(plan, frame=_join_groups(_order_rows(frame, times[frame.index])).reset_index()[list(frame.columns)])


def _is_cut_off(times: pd.Series, periods: pd.Series, frequency: Frequency) -> bool:
    """Return whether rows reach less far in the newest period than in others, so that at least one more row would follow."""
    newest = periods.max()
    longest_step = pd.Series(times.unique()).sort_values().diff().max()
    is_short = _incomplete_periods(times, periods, frequency, pd.Timestamp.max).get(newest) == "newest"
    return is_short and bool(frequency.period_end(newest) - times.max() > longest_step)


def join_rows(rows: pd.DataFrame, times: pd.Series, how: How) -> pd.DataFrame:
    """Return one row for each series and period; `times` are the moments of the rows, which say which is the last."""
    ordered = _order_rows(rows, times)
    groups = ordered.groupby([ID, TIME], sort=True)
    target = groups[TARGET].agg(how)
    if how == "sum":  # a sum of which a part is not known is not known
        target = target.where(groups[TARGET].count() == groups.size())
    return pd.concat([target, _join_groups(ordered)], axis=1).reset_index()[list(rows.columns)]


def _order_rows(rows: pd.DataFrame, times: pd.Series) -> pd.DataFrame:
    return rows.assign(**{_MOMENT: times}).sort_values([ID, TIME, _MOMENT], kind="stable").drop(columns=_MOMENT)


def _join_groups(ordered: pd.DataFrame) -> pd.DataFrame:
    """Join the rows of each series and period, but for the target: numbers by their mean, all else as the last row has it."""
    groups = ordered.groupby([ID, TIME], sort=True)
    numbers = [name for name in ordered.select_dtypes("number") if name not in (ID, TARGET, "row")]
    others = [name for name in ordered if name not in (ID, TIME, TARGET, *numbers)]
    return pd.concat([groups[others].last(), groups[numbers].mean()], axis=1)


_MOMENT = "\0moment"  # no column of a file has this name
