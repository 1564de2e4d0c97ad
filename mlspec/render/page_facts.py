"""The facts that pages show, as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlspec.render.chart import Value
from mlspec.render.series_listing import SeriesIndex
from mlspec.state.notice import PendingNotice
from mlspec.state.record import Condition, Event


@dataclass(frozen=True, slots=True)
class SeriesCurve:
    """What a chart shows of one series or of the total: lines over the same periods (ISO text), None where a line has no value.

    `earlier` is the mean of the forecast before the newest one; `quantiles` are by their column, in rising order.
    """

    times: Sequence[str]
    actual: Sequence[Value]
    backtest: Sequence[Value]
    earlier: Sequence[Value]
    mean: Sequence[Value]
    quantiles: Mapping[str, Sequence[Value]] = field(default_factory=dict)

    @property
    def forecast_start(self) -> int | None:
        """The position of the first forecast period; None if there is none."""
        return next((at for at, value in enumerate(self.mean) if value is not None), None)

    def newest(self, periods: int) -> SeriesCurve:
        """Return the same with at most so many periods before the forecast."""
        first = max((self.forecast_start or len(self.times)) - periods, 0)
        return SeriesCurve(
            self.times[first:], self.actual[first:], self.backtest[first:], self.earlier[first:], self.mean[first:],
            {name: values[first:] for name, values in self.quantiles.items()},
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AttentionItem:
    """Something that needs somebody, or that somebody should know: its kind, since when, and a sentence."""

    kind: str
    since: str
    text: str


@dataclass(frozen=True, slots=True)
class ForecastPageFacts:
    """All facts on a forecast's page but the series'. Tables are lists of mappings; moments are RFC 3339, periods ISO text.

    `zone` is the time zone in which moments are shown. `interval` is the share between the outermost quantiles.
    """

    name: str
    description: str
    owner: str | None
    target_column: str
    version: Mapping[str, Any]
    release: int | None
    run: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]
    gate: Sequence[str]
    quality: Mapping[str, Any]
    inventory: Mapping[str, Any] | None
    events: Sequence[Event]
    interval: float | None
    ready: bool
    why: str
    made: str
    zone: str = "UTC"
    next_run: str | None = None
    conditions: Sequence[Condition] = ()
    attention: Sequence[AttentionItem] = ()
    undelivered: Sequence[PendingNotice] = ()
    lineage: Mapping[str, Any] = field(default_factory=dict)
    auto: Sequence[str] = ()
    fates: Sequence[str] = ()
    levels: Sequence[Mapping[str, Any]] = ()
    series: SeriesIndex | None = None


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One forecast among all: `flags` are what is up with it (firing, rollout, held, undelivered), `age` seconds of its data."""

    name: str
    ready: bool
    why: str
    owner: str
    serving: str
    realised: Value
    backtest: Value
    firing: int
    flags: Sequence[str]
    cutoff: str | None
    age: float | None
    next_run: str | None
    zone: str = "UTC"

    @property
    def states(self) -> tuple[str, ...]:
        """All that a filter by state finds it by."""
        return ("ready" if self.ready else "not ready", *self.flags)


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One alert that is not well: since when, what it says, and whether anybody was told."""

    forecast: str
    alert: str
    state: str
    since: str
    message: str
    delivery: str
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class UndeliveredItem:
    """A notice that a receiver did not accept, and its forecast."""

    forecast: str
    pending: PendingNotice
    zone: str = "UTC"
