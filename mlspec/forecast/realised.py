"""Realised accuracy: earlier forecasts compared with the actual values of mature periods.

A period is mature if it ended at least `available_after` ago and enough of the forecast series have an actual value for it. Each
period is scored by the newest forecast that was made before it (Tashman 2000, on fixed lead times: the shortest lead).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from mlspec.forecast.frame import AVAILABLE, CUTOFF, ID, OBSERVED, TARGET, TIME, newest_rows
from mlspec.forecast.frequency import span_between
from mlspec.forecast.metrics import Metrics
from mlspec.forecast.scales import series_scales
from mlspec.forecast.scores import score_rows
from mlspec.forecast.stored_panel import PartedPanel
from mlspec.forecast.workers import collect_parts
from mlspec.spec.metrics import metric_names

LEAD = "lead"


@dataclass(frozen=True)
class Maturity:
    """When a period is mature: `delay` after its end, if a share of `coverage` of the series has actual values."""

    delay: pd.Timedelta
    coverage: float


def match_newest(
    panel: PartedPanel, forecasts: Sequence[pd.DataFrame], maturity: Maturity, now: pd.Timestamp
) -> pd.DataFrame:
    """Return forecasts with their actual values, one row per series and mature period, sorted.

    `forecasts` have unique_id, ds, cutoff, mean and a column per quantile, and are in the order of their creation: of two with the
    same cutoff the later one counts. `now` is UTC without a time zone. The result has their columns, y and the scales for scaled
    errors.
    """
    return join_actuals(panel, newest_forecasts(forecasts), maturity, now) if forecasts else pd.DataFrame()


def newest_forecasts(forecasts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the newest forecast of each series and period."""
    ordered = pd.concat(forecasts, ignore_index=True).sort_values([TIME, CUTOFF], kind="stable")
    return ordered.drop_duplicates([ID, TIME], keep="last")


def forecasts_by_lead(
    panel: PartedPanel, forecasts: Sequence[pd.DataFrame], maturity: Maturity, now: pd.Timestamp
) -> dict[int, pd.DataFrame]:
    """Return every forecast with its actual values, by lead in periods: 1 is the period after the cutoff."""
    if not forecasts:
        return {}
    all_forecasts = pd.concat(forecasts, ignore_index=True).drop_duplicates([ID, TIME, CUTOFF], keep="last")
    all_forecasts[LEAD] = _leads(panel, all_forecasts)
    rows = join_actuals(panel, all_forecasts[all_forecasts[LEAD] > 0], maturity, now, separate_by=(LEAD,))
    return {int(step): rows[rows[LEAD] == step] for step in sorted(all_forecasts[LEAD].unique()) if step}


def _leads(panel: PartedPanel, forecasts: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Return the lead of each row, in periods of the panel; 0 if its cutoff or its period is none, or the horizon is shorter."""
    known, horizon = panel.times, panel.layout.horizon
    periods = known.append(panel.layout.frequency.periods_after(panel.cutoff, horizon))
    made, meant = periods.get_indexer(forecasts[CUTOFF]), periods.get_indexer(forecasts[TIME])
    leads = meant - made
    return np.where((made >= 0) & (leads > 0) & (leads <= horizon), leads, 0)


def join_actuals(
    panel: PartedPanel,
    forecasts: pd.DataFrame,
    maturity: Maturity,
    now: pd.Timestamp,
    separate_by: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Return the mature rows of forecasts, one per series and period, with actual values and scales; sorted.

    Rows that differ in a column of `separate_by` count as separate forecasts: maturity is decided for each of them.
    """
    newest = collect_parts(panel, partial(newest_rows, since=forecasts[TIME].min()))
    rows = forecasts.merge(newest.loc[newest[OBSERVED], [ID, TIME, TARGET]], on=[ID, TIME], how="left")
    settled = rows[TARGET].notna() | _was_not_for_sale(newest, rows)
    share = settled.groupby([rows[name] for name in (*separate_by, TIME)]).transform("mean")
    mature = rows[TARGET].notna() & _is_over(panel, rows, maturity, now) & (share >= maturity.coverage)
    return rows[mature].merge(series_scales(panel), on=ID, how="left").sort_values([TIME, ID], ignore_index=True)


def actual_values(panel: PartedPanel, since: pd.Timestamp, maturity: Maturity, now: pd.Timestamp) -> pd.DataFrame:
    """Return the values that are known of the periods from `since` on that are over for long enough: unique_id, ds and y."""
    newest = collect_parts(panel, partial(newest_rows, since=since))
    known = newest.loc[newest[OBSERVED].astype(bool) & newest[TARGET].notna(), [ID, TIME, TARGET]]
    return known[_is_over(panel, known, maturity, now)].sort_values([TIME, ID], ignore_index=True)


def _is_over(panel: PartedPanel, rows: pd.DataFrame, maturity: Maturity, now: pd.Timestamp) -> pd.Series:
    """Return for each row whether its period ended so long ago that its values count as complete."""
    is_over = {
        period: span_between(panel.layout.frequency.period_end(period), now) >= maturity.delay
        for period in rows[TIME].unique()
    }
    return rows[TIME].map(is_over).astype(bool)


def _was_not_for_sale(newest: pd.DataFrame, rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return for each row whether its series was not for sale in its period, by the panel's rows: no actual value will come."""
    if AVAILABLE not in newest:
        return np.zeros(len(rows), dtype=bool)
    out = newest.loc[~newest[AVAILABLE].astype(bool), [ID, TIME]]
    return pd.MultiIndex.from_frame(rows[[ID, TIME]]).isin(pd.MultiIndex.from_frame(out))


def last_windows(rows: pd.DataFrame, length: int, count: int) -> list[pd.DataFrame]:
    """Return the rows of the last `count` windows of `length` periods, each one period earlier, newest first.

    A window that the mature periods do not fill is empty, so that it gives no value instead of a good one.
    """
    return [rows[rows[TIME].isin(periods)] for periods in window_periods(rows, length, count)]


def window_periods(rows: pd.DataFrame, length: int, count: int) -> list[list[pd.Timestamp]]:
    """Return the periods of the last `count` windows of `length` mature periods, newest first; empty if a window is not full."""
    periods = sorted(rows[TIME].unique()) if len(rows) else []
    ends = [len(periods) - back for back in range(count)]
    return [periods[end - length : end] if end >= length else [] for end in ends]


def measure_accuracy(rows: pd.DataFrame, quantiles: Sequence[float], of_packages: Sequence[str] = ()) -> Metrics:
    """Return every metric over the rows, also those `of_packages`; each is None if there are no rows."""
    if not len(rows):
        return dict.fromkeys((*metric_names("accuracy"), *of_packages))
    return score_rows(rows, quantiles, of_packages)
