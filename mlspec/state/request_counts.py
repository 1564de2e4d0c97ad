"""What a server of predictions did: counted by the minute, so that many processes can add up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestCount:
    """One version's minute: requests, those that failed, and how many took up to each of `LATENCIES` seconds.

    `minute` is RFC 3339 in UTC. `took` has one count a bound of LATENCIES and one for all beyond the last; they sum to `requests`.
    """

    forecast: str
    version: str
    minute: str
    requests: int
    errors: int
    took: tuple[int, ...]


# Upper bounds in seconds: Prometheus' default buckets for latency (prometheus/client_golang, DefBuckets).
LATENCIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# How long minutes are kept: the language lets no alert look back further (`window` of 1000 hours, `for` of 99 evaluations).
KEPT_HOURS = 1100
