"""Keeps the overviews of forecasts, which take seconds to measure, and measures them anew when the record has changed.

One is measured at a time, in a process of its own. A page that comes meanwhile shows the one before, or that there is none yet.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mlspec.engine.overview import OverviewBasis
from mlspec.errors import MlspecError
from mlspec.render.series_listing import SeriesIndex

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptOverview:
    """What is known of a forecast: the series of the newest overview, whether another is being measured, and why there is none."""

    series: SeriesIndex | None = None
    is_pending: bool = False
    problem: str = ""


class OverviewCache:
    """The overviews by name. Any number of threads ask for them."""

    def __init__(self, measure: Callable[[str], SeriesIndex]) -> None:
        self._measure = measure
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._bases: dict[str, OverviewBasis] = {}
        self._kept: dict[str, KeptOverview] = {}

    def find_overview(self, name: str, basis: OverviewBasis) -> KeptOverview:
        """Return what is known, and begin to measure if that is not of this basis."""
        with self._lock:
            kept = self._kept.get(name, KeptOverview())
            if kept.is_pending or self._bases.get(name) == basis:
                return kept
            self._bases[name] = basis
            self._kept[name] = pending = KeptOverview(kept.series, is_pending=True)
        threading.Thread(target=self._measure_one, args=(name,), daemon=True).start()
        return pending

    def _measure_one(self, name: str) -> None:
        with self._turn:
            try:
                kept = KeptOverview(self._measure(name))
            except Exception as error:  # a page says it; the next basis is tried again
                logger.debug("the overview of %s cannot be measured", name, exc_info=error)
                words = error.message if isinstance(error, MlspecError) else f"{type(error).__name__}: {error}"
                kept = KeptOverview(problem=words)
        with self._lock:
            self._kept[name] = kept
