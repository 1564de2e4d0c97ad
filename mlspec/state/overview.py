"""How a forecast is doing: sums and errors of each series, of each segment and in total, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlspec.state.resource import Json


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One series, one segment, or all series. None: there is nothing to measure, or to sum.

    `forecast` is the sum of the newest forecast, `recent` that of the actual values over as many periods before it. `before` and
    `after` are the sums of the forecast before and of the newest one, over the periods and series that both have. `realised` and
    `backtest` are WAPE, `bias` is the realised one, over `values` realised values.
    """

    key: tuple[Json, ...]
    series: int
    recent: float | None = None
    forecast: float | None = None
    before: float | None = None
    after: float | None = None
    realised: float | None = None
    backtest: float | None = None
    bias: float | None = None
    values: int = 0

    @property
    def change(self) -> float | None:
        """The difference to the forecast before."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def change_share(self) -> float | None:
        """The difference as a share of the forecast before; None where that is 0."""
        return self.change / abs(self.before) if self.change is not None and self.before else None


@dataclass(frozen=True, slots=True)
class ErrorPair:
    """The WAPE of what is realised and of the backtest at one number of periods ahead, or at one period."""

    at: str
    realised: float | None = None
    backtest: float | None = None


@dataclass(frozen=True, slots=True)
class VersionErrors:
    """How the forecasts of one version turned out: every accuracy metric over `values` periods of series that are mature."""

    version: str
    metrics: Mapping[str, float | None]
    values: int


@dataclass(frozen=True, slots=True)
class ForecastOverview:
    """All of it for one forecast. `columns` name the parts of a series' key, and `ids` are the internal names of `series`.

    `segments` has the rows of each series or static column by its value. `by_horizon` is by periods ahead, `by_period` what is
    realised by period, `by_cutoff` the backtest by cutoff; each in order. `metrics` are all realised accuracy metrics. `before` is
    the cutoff of the forecast before, `compared` the periods that both have; `new` and `gone` count series that only one has.
    `unit` is the column that is forecast. `by_version` has each version whose forecasts are mature, also one in quarantine: on the
    newest of its own forecasts of each period.
    """

    columns: tuple[str, ...]
    total: OverviewRow
    series: tuple[OverviewRow, ...]
    ids: tuple[str, ...]
    segments: Mapping[str, tuple[OverviewRow, ...]]
    by_horizon: tuple[ErrorPair, ...] = ()
    by_period: tuple[ErrorPair, ...] = ()
    by_cutoff: tuple[ErrorPair, ...] = ()
    metrics: Mapping[str, float | None] | None = None
    before: str | None = None
    compared: int = 0
    new: int = 0
    gone: int = 0
    unit: str = ""
    by_version: tuple[VersionErrors, ...] = ()
