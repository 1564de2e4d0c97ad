"""Which version a series belongs to while two of them serve: a share of the series by a stable hash of their keys.

Every process must say the same of the same series, for batch and online alike, so the hash is sha256 and not Python's own, which
differs from one process to the next. A share that grows keeps the series that it had.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

BUCKETS = 100


def key_of(values: Sequence[str]) -> str:
    """Return a series' key from its columns' values, in the spec's order. No two series have the same one."""
    return "\x1f".join(value.replace("\\", "\\\\").replace("\x1f", "\\x1f") for value in values)


def bucket(key: str) -> int:
    """Return a number in [0, 100) that is the same for the same key everywhere."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") % BUCKETS


def version_for(place: int, traffic: Mapping[str, int]) -> str:
    """Return the version that a bucket belongs to. `traffic` maps versions to percents that sum to 100.

    Versions stand in the order of their names, whatever order the mapping has: of two, each holds one end of the buckets, so the
    one whose share grows keeps all that it had.
    """
    edge = 0
    names = sorted(traffic)
    for name in names:
        edge += traffic[name]
        if place < edge:
            return name
    return names[-1]
