"""What Monitoring adds up before it answers: the DELTA of each period, which ends where the question ends.

See the comments of common.proto (Aggregation): of aligners only ALIGN_DELTA, of reducers none.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from google.cloud.monitoring_v3.types import Aggregation

from tests.gcp.standin import standard
from tests.gcp.standin.refused import Refused, invalid

SHORTEST = timedelta(seconds=60)


def period(aggregation: Any) -> timedelta:
    """Return the alignment period. Raises Refused where the stand-in does not know what is asked."""
    if aggregation.per_series_aligner != Aggregation.Aligner.ALIGN_DELTA or aggregation.cross_series_reducer:
        raise Refused("UNIMPLEMENTED", "the stand-in aligns by ALIGN_DELTA and reduces nothing")
    found: timedelta = aggregation.alignment_period.ToTimedelta()
    if found < SHORTEST:
        raise invalid("The alignment period must be at least 60 seconds.")
    return found


def added_up(series: Any, start: datetime, end: datetime, every: timedelta) -> Any:
    """Return a series with one point a period that holds something, newest first."""
    found, points = standard.copy(series), list(series.points)
    del found.points[:]
    while end > start:
        inside = [each for each in points if end - every < each.interval.end_time.ToDatetime(UTC) <= end]
        if inside:
            found.points.append(_sum(inside, end, every))
        end -= every
    return found


def _sum(points: list[Any], end: datetime, every: timedelta) -> Any:
    total = standard.copy(points[0])
    total.interval.start_time.FromDatetime(end - every)
    total.interval.end_time.FromDatetime(end)
    for each in points[1:]:
        if each.value.WhichOneof("value") == "distribution_value":
            _add(total.value.distribution_value, each.value.distribution_value)
        else:
            total.value.int64_value += each.value.int64_value
    return total


def _add(total: Any, more: Any) -> None:
    total.count += more.count
    for place, count in enumerate(more.bucket_counts):
        total.bucket_counts[place] += count
