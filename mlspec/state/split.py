"""Which version a series belongs to while two versions share the traffic. Only the series' key decides, the same everywhere.

A batch forecast, every server and every restart have to agree without communication. So the partition is a digest. Python's
`hash` differs from process to process (PYTHONHASHSEED), and a counter or a random draw would move a series from one run to the
next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate

PARTITIONS = 100  # one for each percent of traffic
ONLY_SERIES = "all"  # the key where a spec names no series columns


def series_key(values: Mapping[str, str]) -> str:
    r"""Return a series' key: its columns' values, in the order of the spec, joined by `/`; `/` and `\` in a value are escaped.

    A single value is not changed. The key equals the panel's `unique_id` (`forecast.load.join_ids`), so no data frame is
    needed.
    """
    if not values:
        return ONLY_SERIES
    if len(values) == 1:
        return next(iter(values.values()))
    return "/".join(value.replace("\\", "\\\\").replace("/", "\\/") for value in values.values())


def series_partition(key: str) -> int:
    """Return the partition of a series, 0 to 99: sha256 of its key, so that similar keys spread evenly."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % PARTITIONS


def version_for(partition: int, traffic: Mapping[str, int]) -> str:
    """Return the version that a partition belongs to. `traffic` maps versions to percent and sums to 100.

    Each version has one range of partitions, in the order of the versions' names, whatever the order of the mapping. Only the
    ends of ranges move, so a version keeps every series that it had as long as no other version's share grows. Raises
    ValueError if the shares are not percentages that sum to 100.
    """
    if min(traffic.values(), default=0) < 0 or sum(traffic.values()) != PARTITIONS or not 0 <= partition < PARTITIONS:
        raise ValueError(
            f"partition {partition} of traffic {dict(traffic)}: shares are percentages that sum to {PARTITIONS}"
        )
    versions = sorted(traffic)
    ends = accumulate(traffic[version] for version in versions)
    return next(version for version, end in zip(versions, ends, strict=True) if partition < end)
