"""What the server's pages show, read from the record at each request, with what is costly kept until the record changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from mlspec.engine.fleet import fleet_rows, inbox_items
from mlspec.engine.overview import OverviewBasis, OverviewJob, load_overview, overview_basis
from mlspec.engine.release_comparison import ReleaseComparison, compare_releases
from mlspec.engine.report import ForecastPageSource, forecast_zone, gather_facts, with_series
from mlspec.engine.rows import PlainRows, choose_run, load_rows, newest_run
from mlspec.engine.series_curves import CurveSource, load_curves, load_total_curve
from mlspec.errors import NotFound
from mlspec.plan.moments import format_moment
from mlspec.plan.releases import release_spec
from mlspec.render.page_facts import FleetRow, InboxItem, SeriesCurve, UndeliveredItem
from mlspec.render.series_listing import SeriesIndex
from mlspec.targets.base import Target
from mlspec.web.overview_cache import KeptOverview, OverviewCache

Made = TypeVar("Made")


@dataclass(frozen=True)
class PageSource:
    """Where pages get their facts. `only` are the forecasts to show; empty means all. `measure` is run apart from this process."""

    target: Target
    root: Path
    only: tuple[str, ...]
    measure: OverviewJob
    clock: Callable[[], datetime]
    totals: dict[str, tuple[OverviewBasis, SeriesCurve]] = field(default_factory=dict)
    kept: dict[str, tuple[object, Any]] = field(default_factory=dict)

    @cached_property
    def overviews(self) -> OverviewCache:
        """The overviews of forecasts that a page was asked of."""
        return OverviewCache(
            lambda name: SeriesIndex(
                load_overview(self.target, name, format_moment(self.clock()), self.root, self.measure)
            )
        )

    def names(self) -> tuple[str, ...]:
        """Return the names of the forecasts that are shown."""
        return self.only or self.target.forecast_names()

    def fleet(self) -> list[FleetRow]:
        """Return a row for each forecast."""
        return fleet_rows(self.target, self.names(), self.clock())

    def inbox(self) -> tuple[list[InboxItem], list[UndeliveredItem]]:
        """Return the alerts that are not well, and the notices that nobody has."""
        return inbox_items(self.target, self.names(), self.clock())

    def forecast(self, name: str, zone: str | None) -> tuple[ForecastPageSource, KeptOverview, OverviewBasis]:
        """Return the facts of one forecast, with its overview if there is one already. Raises UsageError for an unknown name."""
        self.require_name(name)
        now = self.clock()
        with self.target.read_session(), self.target.hash_files_once():
            basis = overview_basis(self.target, name, format_moment(now))
            source = gather_facts(self.target, name, now, zone=zone)
        kept = self.overviews.find_overview(name, basis)
        return with_series(source, kept.series), kept, basis

    def curve(self, source: ForecastPageSource, basis: OverviewBasis, series: str) -> SeriesCurve | None:
        """Return the curve of a series, or that of the total if none is named; None if there is no such series."""
        if series:
            return load_curves(source.curves, [series]).get(series)
        name = source.facts.name
        kept = self.totals.get(name)
        if kept is None or kept[0] != basis:
            self.totals[name] = kept = (basis, load_total_curve(source.curves))
        return kept[1]

    def curve_source(self, name: str) -> CurveSource:
        """Return where the curves of a forecast are read. Raises UsageError for an unknown name."""
        return self.forecast(name, None)[0].curves

    def alert_names(self, name: str) -> tuple[str, ...]:
        """Return the names of the alerts of a forecast's newest release."""
        release = next(iter(self.target.load_releases(name)), None)
        return tuple(alert.name for alert in release_spec(release).alerts) if release else ()

    def rows(self, name: str) -> PlainRows:
        """Return all rows of the newest forecast. Raises UsageError for an unknown name."""
        self.require_name(name)
        return load_rows(self.target, name, "forecast", choose_run(self.target, name))

    def overview(self, name: str) -> KeptOverview:
        """Return the overview of a forecast, if there is one already. Raises StateError if there is no forecast yet."""
        return self.overviews.find_overview(name, overview_basis(self.target, name, format_moment(self.clock())))

    def stock_levels(self, name: str) -> PlainRows:
        """Return the stock levels of the newest forecast. Raises StateError if it has none."""
        run = newest_run(self.target, name)
        basis = run.files.get("inventory")
        return self._keep(f"stock {name}", basis, lambda: load_rows(self.target, name, "inventory", run))

    def release_comparison(self, name: str, first: str, second: str) -> ReleaseComparison:
        """Return what differs between two releases. Raises UsageError if there is no such release."""
        basis = (self.target.serial, first, second)
        return self._keep(f"releases {name}", basis, lambda: compare_releases(self.target, name, first, second))

    def _keep(self, subject: str, basis: object, make: Callable[[], Made]) -> Made:
        """Return what `make` makes, or made for the same basis: for many series it takes a second."""
        kept = self.kept.get(subject)
        if kept is None or kept[0] != basis:
            self.kept[subject] = kept = (basis, make())
        made: Made = kept[1]
        return made

    def zone(self, name: str) -> str:
        """Return the time zone in which people read a forecast, by its newest release."""
        release = next(iter(self.target.load_releases(name)), None)
        return forecast_zone(release_spec(release)) if release else "UTC"

    def require_name(self, name: str) -> str:
        """Return the name of a forecast that is shown. Raises UsageError if it is none."""
        if name not in self.names():
            raise NotFound(f"there is no forecast '{name[:60]}'", hint="the list of forecasts has them all")
        return name
