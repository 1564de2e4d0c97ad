"""One measured value on its way to whoever watches outside of mlspec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MetricPoint:
    """A value of one alert and segment: the metric itself, or in how many of the last evaluations its threshold was broken."""

    kind: Literal["value", "breaches"]
    alert: str
    segment: str
    value: float
