"""Converts Cloud Monitoring's distributions to the bins of mlspec's latency histogram.

A distribution has the number of values in each bin, not the values. As Prometheus's histogram_quantile does, this module assumes
that they are spread evenly over the bin. The result is as exact as the bins of both: Monitoring's bins grow by a factor, so a
percentile of long latencies is coarse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

from mlspec.state.request_counts import LATENCIES

_MILLISECONDS = 1000.0
_BOUNDS = (0.0, *LATENCIES, inf)


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """The number of values, as fractions, in each bin of LATENCIES and in a last bin above them."""

    parts: tuple[float, ...] = (0.0,) * (len(LATENCIES) + 1)

    def __add__(self, other: LatencyHistogram) -> LatencyHistogram:
        """Return the sum of both, bin by bin."""
        return LatencyHistogram(tuple(left + right for left, right in zip(self.parts, other.parts, strict=True)))


def to_histogram(distribution: Any) -> LatencyHistogram:
    """Return the histogram over LATENCIES (seconds) of a distribution in milliseconds."""
    parts = [0.0] * len(LatencyHistogram().parts)
    for low, high, count in _filled_bins(distribution):
        for index, (begin, end) in enumerate(pairwise(_BOUNDS)):
            parts[index] += count * _overlap_share(low, high, begin, end)
    return LatencyHistogram(tuple(parts))


def apportion_requests(times: LatencyHistogram, requests: int) -> tuple[int, ...]:
    """Return integer counts in proportion to `times` whose sum is `requests` (largest remainder method)."""
    total = sum(times.parts) or 1.0
    exact = [part * requests / total for part in times.parts]
    counts = [int(part_count) for part_count in exact]
    left = sorted(range(len(exact)), key=lambda index: (counts[index] - exact[index], index))
    for index in left[: requests - sum(counts)]:
        counts[index] += 1
    return tuple(counts)


def _filled_bins(distribution: Any) -> Iterator[tuple[float, float, int]]:
    """Yield the bounds in seconds and the count of each bin that is not empty."""
    bounds = [bound / _MILLISECONDS for bound in _bin_bounds(distribution.bucket_options)]
    for (low, high), count in zip(pairwise((0.0, *bounds, inf)), distribution.bucket_counts, strict=False):
        if count:
            yield low, high, int(count)


def _bin_bounds(options: Any) -> list[float]:
    """Return the bounds between bins; the first one ends the underflow bin (google/api/distribution.proto)."""
    kind = options.WhichOneof("options")
    if kind == "explicit_buckets":
        return list(options.explicit_buckets.bounds)
    if kind == "exponential_buckets":
        given = options.exponential_buckets
        return [given.scale * given.growth_factor**power for power in range(given.num_finite_buckets + 1)]
    given = options.linear_buckets
    return [given.offset + given.width * step for step in range(given.num_finite_buckets + 1)]


def _overlap_share(low: float, high: float, begin: float, end: float) -> float:
    """Return the share of (low, high] that lies in (begin, end]. A bin without an upper bound counts at its lower bound."""
    if high == inf or high <= low:
        return float(begin <= low < end)
    return max(min(high, end) - max(low, begin), 0.0) / (high - low)
