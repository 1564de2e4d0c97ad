"""The runtime of a step: one thread, so that results do not depend on the number of cores, and no library warnings."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Warnings of these libraries are hidden, because a user of mlspec cannot act on them.
_LIBRARIES = (
    "statsforecast",
    "mlforecast",
    "utilsforecast",
    "coreforecast",
    "sklearn",
    "lightgbm",
    "statsmodels",
    "pandas",
    "ray",
)


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit numeric libraries to one thread, and hide the warnings from inside their code."""
    os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
    import sklearn  # noqa: F401  (its OpenMP must be loaded before it can be limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings():
        for library in _LIBRARIES:
            warnings.filterwarnings("ignore", module=rf"{library}(\.|$)")
        yield
