"""Where the rows are kept that trees learn from: in memory, or wherever else `TrainingRows` are written.

The rows come part by part of a panel, and each has a place of its own, which does not depend on the parts: trees add up in the
order of rows, and are the same to the last bit for any number of parts.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import numpy as np

from mlspec.forecast import trees
from mlspec.forecast.estimators import Array, TreeSettings, build_estimator, fit_array


@dataclass(frozen=True)
class FittedTrees:
    """Trees, and their bytes if another process fitted them."""

    model: Any
    dumped: bytes | None = None


class TrainingRows(Protocol):
    """Features and target of so many rows and columns, to be written and then fitted once."""

    is_shared: bool
    """Whether what a forked process writes is written here, too."""

    def write(self, place: int, features: Array, target: Array) -> None:
        """Write rows from the row `place` on."""
        ...

    def fit(self, settings: TreeSettings) -> FittedTrees:
        """Fit trees to all rows. They are not needed any more then."""
        ...

    def close(self) -> None:
        """Give up what holds the rows, whether trees were fitted to them or not."""
        ...


@dataclass
class MemoryRows:
    """Rows in memory. Their trees are fitted in this process, by one thread; `network`: LightGBM's settings for several workers."""

    rows: int
    columns: int
    network: Mapping[str, Any] = field(default_factory=dict)
    is_shared = False
    _features: Array | None = None
    _target: Array | None = None

    def write(self, place: int, features: Array, target: Array) -> None:
        """Write rows from the row `place` on. If they are all, they are kept as they are."""
        if len(target) == self.rows:
            self._features, self._target = features, target
            return
        if self._features is None or self._target is None:
            self._features, self._target = np.empty((self.rows, self.columns), order="F"), np.empty(self.rows)
        self._features[place : place + len(target)] = features
        self._target[place : place + len(target)] = target

    def fit(self, settings: TreeSettings) -> FittedTrees:
        """Fit trees in this process."""
        model = build_estimator(settings, network=self.network)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # the data contract reports a column without values
            fit_array(settings, model, cast("Array", self._features), cast("Array", self._target))
        return FittedTrees(model)

    def close(self) -> None:
        """Let the rows go."""
        self._features = self._target = None


def load_fitted_trees(dumped: bytes, library: str) -> FittedTrees:
    """Return the trees that another process fitted."""
    return FittedTrees(trees.load_trees(dumped, library), dumped)
