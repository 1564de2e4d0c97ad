"""The runtime of a step: one thread, so that results do not depend on the number of cores, and no library warnings."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# Warnings from any code but mlspec's own are hidden, because a user of mlspec cannot act on them.
_OTHER_CODE = r"(?!mlspec(\.|$))"
# What OpenMP and OpenBLAS read when they are loaded. A library that a step loads has one thread then, and none is loaded for that.
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit numeric libraries to one thread, and hide the warnings from inside the code of libraries.

    Those that are loaded already are limited for the block; those that the block loads, for the life of the process.
    """
    os.environ.setdefault("NIXTLA_ID_AS_COL", "1")
    from threadpoolctl import threadpool_limits

    with _environment(_THREADS), threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=_OTHER_CODE)
        yield


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
