"""Calls the formulas of metrics that installed packages bring, and refuses what they may not return."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from mlspec.errors import BrokenMetric
from mlspec.models.metric import ScoredForecasts
from mlspec.models.package_failure import describe_failure
from mlspec.models.package_metrics import LoadedMetric, load_metric
from mlspec.spec.metrics import METRICS

_CORRECT = "correct the package, or name another metric in the spec"


@dataclass(frozen=True)
class PackageFormula:
    """The formula of a metric of a package. Called, it gives the metric's value or an error that names metric and package."""

    loaded: LoadedMetric

    def __call__(self, scored: ScoredForecasts) -> float | None:
        """Return the metric's value. Without a row it is None, and the formula is not called.

        Raises BrokenMetric if the formula raises, or returns anything but None or a finite number from low to high.
        """
        if not len(scored.actual):
            return None
        try:
            with np.errstate(all="ignore"):  # what comes out is checked below
                value = self.loaded.metric.formula(_protect(scored))
        except (Exception, SystemExit) as error:
            why = describe_failure(error, self.loaded.entry.import_name)
            raise BrokenMetric(f"{self.loaded}: {why}", hint=_CORRECT) from error
        problem = self._find_problem(value)
        if problem:
            raise BrokenMetric(f"{self.loaded} returned {problem}", hint=_CORRECT)
        return None if value is None else float(value)

    def _find_problem(self, value: object) -> str | None:
        """Return what is wrong with a value that the formula returned; None if nothing is."""
        if value is None:
            return None
        if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
            return f"a value of the type {type(value).__name__}, and has to return a number or None"
        low, high = self.loaded.metric.low, self.loaded.metric.high
        try:
            number = float(value)
        except OverflowError:  # a whole number of Python's
            number = math.inf
        if not math.isfinite(number):
            return f"{number}, which is not a finite number"
        if low <= number <= high:
            return None
        return f"{number:g}, and says that its values are " + (
            f"from {low:g} to {high:g}" if math.isfinite(high) else f"{low:g} or more"
        )


def load_formula(name: str) -> PackageFormula:
    """Return the formula of a metric of a package. Raises SpecError if no package has it, or if it cannot be imported."""
    return PackageFormula(load_metric(name, METRICS))


def _protect(scored: ScoredForecasts) -> ScoredForecasts:
    """Return the same arrays, which cannot be written to: another formula gets them too."""
    return replace(
        scored,
        actual=_read_only(scored.actual),
        mean=_read_only(scored.mean),
        mase_scale=_read_only(scored.mase_scale),
        rmsse_scale=_read_only(scored.rmsse_scale),
        quantiles=MappingProxyType({level: _read_only(values) for level, values in scored.quantiles.items()}),
        series=_read_only(scored.series),
    )


def _read_only(values: Any) -> Any:
    view = values.view()
    view.setflags(write=False)
    return view
