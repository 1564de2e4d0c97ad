"""One measured value for a monitoring system outside mlspec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A value of one alert and segment: the metric itself, or the number of the last evaluations that broke the threshold."""

    kind: Literal["value", "breaches"]
    alert: str
    segment: str
    value: float
