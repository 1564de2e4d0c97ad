"""Which version a series belongs to while two of them share the traffic: decided by the series' key alone, the same everywhere.

A batch forecast, every server and every restart have to agree without asking one another, so the bucket is a digest and not
Python's `hash`, which differs from process to process (PYTHONHASHSEED), and not a counter or a draw, which would move a series
from one run to the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate

PARTITIONS = 100  # one a percent of traffic
ONLY_SERIES = "all"  # the key where a spec names no series columns


def series_key(values: Mapping[str, str]) -> str:
    r"""Return a series' key: its columns' values, in the order of the spec, joined by `/`; `/` and `\` in a value are escaped.

    One value stands as it is. It is the panel's `unique_id` (`forecast.load.join_ids`), so a key is found without a data frame.
    """
    if not values:
        return ONLY_SERIES
    if len(values) == 1:
        return next(iter(values.values()))
    return "/".join(value.replace("\\", "\\\\").replace("/", "\\/") for value in values.values())


def series_partition(key: str) -> int:
    """Return the bucket of a series, 0 to 99: sha256 of its key, so that any number of similar keys spreads evenly."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % PARTITIONS


def version_for(partition: int, traffic: Mapping[str, int]) -> str:
    """Return the version that a bucket belongs to. `traffic` maps versions to percent and sums to 100.

    Versions take their stretches of buckets in the order of their names, whatever the order of the mapping. Stretches only shift
    at their ends, so a version keeps every series that it had as long as no other version's share grows. Raises ValueError when
    the shares are no split.
    """
    if min(traffic.values(), default=0) < 0 or sum(traffic.values()) != PARTITIONS or not 0 <= partition < PARTITIONS:
        raise ValueError(
            f"bucket {partition} of traffic {dict(traffic)}: shares are percentages that sum to {PARTITIONS}"
        )
    versions = sorted(traffic)
    ends = accumulate(traffic[version] for version in versions)
    return next(version for version, end in zip(versions, ends, strict=True) if partition < end)
