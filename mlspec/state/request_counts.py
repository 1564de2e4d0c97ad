"""Request counts of a prediction server, by the minute, so that the counts of several processes can be added."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestCount:
    """One version's minute: the requests, the failed ones, and how many took up to each of `LATENCIES` seconds.

    `minute` is RFC 3339 in UTC. `took` has one count for each bound of LATENCIES and one for all slower ones; they sum to
    `requests`.
    """

    forecast: str
    version: str
    minute: str
    requests: int
    errors: int
    took: tuple[int, ...]


# Upper bounds in seconds: Prometheus' default buckets for latency (prometheus/client_golang, DefBuckets).
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# How long counts are kept. No alert can look back further (`window` of at most 1000 hours, `for` of at most 99 evaluations).
KEPT_HOURS = 1100
AHEAD_HOURS = (
    48  # counts of later minutes come from a clock that was ahead, and would be read as new ones when that time comes
)
