"""Deals series into parts, so that a step can work on one part at a time: memory is bounded by a part, not by all series."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

PART_ROWS = 2_500_000  # of about 50 bytes in a frame, and of several times as much as features of trees
MOST_PARTS = 512  # each is a file that is open while a source is dealt


def count_parts(rows: int) -> int:
    """Return in how many parts by series so many rows are kept: a power of two, so that a part has about PART_ROWS at most."""
    return min(1 << max(-(-rows // PART_ROWS) - 1, 0).bit_length(), MOST_PARTS)


def place_series(names: Iterable[object], parts: int) -> npt.NDArray[np.int64]:
    """Return to which of `parts` parts, a power of two, each series belongs.

    With half as many parts two of them become one, so that few series move as data grow: to one other part at most.
    """
    digests = [int.from_bytes(blake2b(str(name).encode(), digest_size=4).digest()) for name in names]
    return np.array(digests, dtype="int64") % parts
