"""The features of a boosted model: lags, rolling statistics, calendar, covariates. They use no data after the cutoff.

mlforecast computes lags and rolling statistics of the target, and uses its own predictions for lags shorter than the horizon. A
past covariate is used only with a lag of at least the horizon, because that value is known for every forecast period.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from mlspec.forecast.frame import ID, PREFIX, TARGET, TIME, Layout, Panel

# Calendar features by the frequency's base: those that can repeat within a year, a week or a day.
CALENDAR: dict[str, tuple[str, ...]] = {
    "min": ("hour", "dayofweek", "month"),
    "h": ("hour", "dayofweek", "month"),
    "D": ("dayofweek", "day", "month", "dayofyear"),
    "B": ("dayofweek", "day", "month", "dayofyear"),
    "W": ("month", "week"),
    "MS": ("month",), "ME": ("month",),
    "QS": ("quarter",), "QE": ("quarter",),
    "YS": (), "YE": (),
}  # fmt: skip


@dataclass(frozen=True)
class CategoryEncoder:
    """Maps category texts to the numbers used in training; a category that is new since then becomes missing."""

    categories: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def from_panel(cls, panel: Panel) -> CategoryEncoder:
        """Return an encoder with the categories of every text covariate."""
        texts_by_column: dict[str, list[str]] = {}
        for frame in (panel.frame, panel.series):
            for name in frame.columns:
                if str(name).startswith(PREFIX) and frame[name].dtype == object:
                    texts_by_column[str(name)] = sorted(frame[name].dropna().unique())
        return cls(texts_by_column)

    def __call__(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return `frame` with every category replaced by its number."""
        return frame.assign(**self.numbers({str(name): frame[name] for name in frame}))

    def numbers(self, columns: Mapping[str, pd.Series]) -> dict[str, pd.Series]:
        """Return the number of every category, by column."""
        return {
            name: columns[name].map({text: float(code) for code, text in enumerate(texts)}).astype("float64")
            for name, texts in self.categories.items() if name in columns
        }  # fmt: skip


@dataclass(frozen=True)
class FeatureMatrix:
    """`history`: unique_id, ds, y and every covariate; `ahead`: the same without y, for the periods after the cutoff."""

    history: pd.DataFrame
    ahead: pd.DataFrame
    static: list[str]


def default_lags(layout: Layout, length: int) -> tuple[int, ...]:
    """Return the lags for a spec that sets none, for series of `length` periods: the latest periods, and some up to the seasons.

    A lag takes its own length of each series away from the training. So one that leaves less than half of it is left out, and one
    of a further season, such as a week of hours, that leaves less than two thirds.
    """
    season = layout.season
    short = [1, 2, 3, 4] if season not in (7, 24) else list(range(1, season + 1))
    seasonal = [season // 4, season // 2, season] if season >= 12 else [season, 2 * season] if season > 1 else [6, 12]
    further = [
        lag for longer in layout.frequency.seasons[1:] for lag in (2 * season, round(longer)) if 3 * lag <= length
    ]
    fitting = {lag for lag in seasonal if 2 * lag <= length}
    return tuple(sorted({lag for lag in (*short, *fitting, *further) if lag >= 1}))


def rolling_windows(layout: Layout) -> tuple[int, ...]:
    """Return the windows of the rolling means: a short one, and a season or a quarter of it."""
    if layout.season >= 48:
        return (4, layout.season // 4)
    longer = layout.season if layout.season > 1 else 6
    return (3, longer) if longer != 3 else (3,)


def count_features(layout: Layout, lags: tuple[int, ...]) -> int:
    """Return the number of columns that trees with these lags learn from."""
    covariates = len(layout.known) + len(layout.static) + len(_lagged_columns(layout))
    return len(lags) + len(rolling_windows(layout)) + len(CALENDAR[layout.frequency.base]) + covariates


def feature_matrix(panel: Panel, encode: CategoryEncoder) -> FeatureMatrix:
    """Return the input frames of mlforecast, with categories as numbers."""
    layout = panel.layout
    static = list(layout.static)
    history, ahead = _add_lagged(panel, encode) if layout.past else (panel.frame, panel.future)
    history, ahead = (_feature_columns(frame, layout, encode) for frame in (history, ahead))
    if static:
        history = history.merge(encode(panel.series)[[ID, *static]], on=ID, how="left")
    known = [name for name in history.columns if name not in (TARGET, *static)]
    return FeatureMatrix(history, ahead[known].reset_index(drop=True), static)


def _feature_columns(frame: pd.DataFrame, layout: Layout, encode: CategoryEncoder) -> pd.DataFrame:
    """Return the columns of a frame that trees may use, and the calendar's. Those that stay as they are share their memory."""
    wanted = {ID, TIME, TARGET, *layout.known, *_lagged_columns(layout)}
    kept = {str(name): frame[name] for name in frame if name in wanted}
    return pd.DataFrame({**kept, **encode.numbers(kept), **_calendar(frame[TIME], layout)}, copy=False)


def _add_lagged(panel: Panel, encode: CategoryEncoder) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return history and horizon with lags of each past covariate: `horizon` periods, and one season if that is longer."""
    layout = panel.layout
    combined = pd.concat([panel.frame, panel.future], ignore_index=True) if len(panel.future) else panel.frame
    combined = combined.sort_values([ID, TIME], ignore_index=True)
    groups = combined.assign(**encode.numbers({name: combined[name] for name in layout.past})).groupby(ID, sort=False)
    combined = combined.assign(
        **{column: groups[name].shift(lag) for column, (name, lag) in _lagged_columns(layout).items()}
    )
    is_ahead = combined[TIME] > panel.cutoff
    return combined[~is_ahead].reset_index(drop=True), combined[is_ahead]


def _lagged_columns(layout: Layout) -> dict[str, tuple[str, int]]:
    """Return the columns with lags of past covariates: for each the covariate, and the lag in periods.

    Their names begin otherwise than those of covariates (PREFIX): a project may have a column `price_lag7` beside `price`.
    """
    lags = sorted({layout.horizon, max(layout.season, layout.horizon)})
    return {f"lag{lag}_of_{name}": (name, lag) for name in layout.past for lag in lags}


def _calendar(times: pd.Series, layout: Layout) -> dict[str, Any]:
    """Return the parts of the calendar of each time. Many series share a time, so that each is looked at once."""
    places, distinct = pd.factorize(times)
    return {
        f"calendar_{part}": _calendar_part(pd.Series(distinct), part).to_numpy().take(places)
        for part in CALENDAR[layout.frequency.base]
    }


def _calendar_part(times: pd.Series, part: str) -> Any:
    values = times.dt.isocalendar().week if part == "week" else getattr(times.dt, part)
    return values.astype("float64")
