"""One measured value for a monitoring system outside mlspec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A value of one alert and segment: the metric itself, or the number of the last evaluations that broke the threshold.

    The number of notices that were given up is of the whole forecast: `alert` and `segment` are empty.
    """

    kind: Literal["value", "breaches", "notices_given_up"]
    alert: str
    segment: str
    value: float
