"""Builds and fits the estimators of boosted trees. Only the library that is asked for is imported, and no data frame.

Both libraries add up in an order that does not depend on the number of threads (LightGBM: `deterministic`). So any number makes the
same trees, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlspec.errors import MissingExtra

Array = npt.NDArray[np.float64]
NO_NETWORK: Mapping[str, Any] = {}
BATCH_ROWS = 65_536


@dataclass(frozen=True)
class TreeSettings:
    """How trees are grown: the library, boosting rounds, shrinkage of each, leaves of a tree, and the seed."""

    library: str
    iterations: int
    learning_rate: float
    max_leaves: int
    seed: int


class RowBatches(Protocol):
    """Features that are read as they are needed: a row, or some neighbouring ones, as an array of its own."""

    def __len__(self) -> int:
        """Return the number of rows."""
        ...

    def __getitem__(self, where: int | slice) -> Array:
        """Return a row, or neighbouring rows."""
        ...


def build_estimator(settings: TreeSettings, *, threads: int = 1, network: Mapping[str, Any] = NO_NETWORK) -> Any:
    """Return an estimator that is not fitted. scikit-learn takes the number of its threads from the process.

    `network`: LightGBM's settings for several workers. Raises MissingExtra if LightGBM is not installed.
    """
    if settings.library == "lightgbm":
        return _build_lightgbm(settings, threads, network)
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.max_leaves,
        early_stopping=False,
        random_state=settings.seed,
    )


def fit_array(settings: TreeSettings, estimator: Any, features: Array, target: npt.NDArray[np.floating[Any]]) -> Any:
    """Fit an estimator of `build_estimator` to rows in memory, which may be written to, and return it.

    scikit-learn 1.9 fails at a column without any value, such as a lag that is longer than the history. A value in one row makes no
    leaf of its own, so that trees leave such a column alone.
    """
    if settings.library != "lightgbm":
        for place in np.flatnonzero(np.isnan(features[0])):
            if np.isnan(features[:, place]).all():
                features[0, place] = 0.0
    return estimator.fit(features, target)


def fit_batches(
    settings: TreeSettings, rows: RowBatches, target: npt.NDArray[np.floating[Any]], *, threads: int = 1
) -> Any:
    """Return LightGBM's trees, with the same bytes as those of an estimator that has all rows in memory.

    LightGBM draws the rows that its bins are made from, reads these, and then reads all of them batch by batch.
    """
    import lightgbm

    class Batches(lightgbm.Sequence):
        batch_size = BATCH_ROWS

        def __getitem__(self, where: Any) -> Array:
            return rows[where]

        def __len__(self) -> int:
            return len(rows)

    options = {"objective": "regression", **_lightgbm_options(settings, threads)}
    data = lightgbm.Dataset(Batches(), label=target, params=options)
    return lightgbm.train(options, data, num_boost_round=settings.iterations)


def _build_lightgbm(settings: TreeSettings, threads: int, network: Mapping[str, Any]) -> Any:
    try:
        from lightgbm import LGBMRegressor
    except ImportError as error:
        raise MissingExtra("lightgbm", "lightgbm") from error
    return LGBMRegressor(n_estimators=settings.iterations, **_lightgbm_options(settings, threads), **network)


def _lightgbm_options(settings: TreeSettings, threads: int) -> dict[str, Any]:
    """Return LightGBM's settings, by its own names.

    `data_random_seed`: which rows bins are made from. LightGBM derives it from the seed for rows in memory, and for no others.
    """
    return {
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.max_leaves,
        "random_state": settings.seed,
        "data_random_seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "n_jobs": threads,
        "verbose": -1,
    }
