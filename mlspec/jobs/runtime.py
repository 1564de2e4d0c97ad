"""The surroundings of a step: one thread, so that the number of cores changes no digit, and no library's chatter."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# statsforecast asks for its own ids-as-column setting, and lightgbm for feature names, in warnings that no user can act on.
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
    """Limit numeric libraries to one thread, and silence what they warn of inside their own code."""
    os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
    import sklearn  # noqa: F401  (its OpenMP has to be loaded before it can be limited)
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1), warnings.catch_warnings():
        for library in _LIBRARIES:
            warnings.filterwarnings("ignore", module=rf"{library}(\.|$)")
        yield
