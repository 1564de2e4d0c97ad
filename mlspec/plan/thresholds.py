"""Decides an alert's state from its values. Without a value the state is `no-data`, neither good nor bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from mlspec.spec.alerts import Alert
from mlspec.spec.duration import format_duration
from mlspec.spec.metrics import METRICS

_DAY = 86_400.0  # seconds
MeasuredState = Literal["ok", "pending", "firing", "no-data"]


@dataclass(frozen=True, slots=True)
class AlertVerdict:
    """The verdict of one alert: its state, the worst segment's newest value, and a sentence with the figures."""

    alert: str
    state: MeasuredState
    value: float | None
    sentence: str


def judge_alert(
    alert: Alert, segments: Mapping[str, Sequence[float | None]], limits: Mapping[str, float | None] | None = None
) -> AlertVerdict:
    """Return an alert's state from its values, by segment, the newest evaluation first.

    A segment of `limits` has a limit of its own, which its past told: a value that is not above it is not beyond the threshold.

    The alert fires if one segment fires. It is pending if one segment is beyond the threshold now, but was not so often enough.
    Without a value in any segment it is no-data.
    """
    agree, evaluations = alert.agreement
    name, metric, usual = alert.name, alert.metric, limits or {}
    beyond = {
        segment: sum(bool(is_broken(alert, value, usual.get(segment))) for value in values[:evaluations])
        for segment, values in segments.items()
    }
    broken = {segment: segments[segment][0] for segment, times in beyond.items() if times >= agree}
    near = {
        segment: values[0]
        for segment, values in segments.items()
        if values and is_broken(alert, values[0], usual.get(segment))
    }
    known_values = {segment: values[0] for segment, values in segments.items() if values and values[0] is not None}
    if broken or near:
        state: MeasuredState = "firing" if broken else "pending"
        return AlertVerdict(name, state, *_worst_segment(alert, broken or near, usual))
    if not known_values:
        return AlertVerdict(name, "no-data", None, f"{name}: {metric} has too little data for a verdict")
    segment, value = next(iter(known_values.items()))
    why = ""
    if is_broken(alert, value):
        why = (
            f": {threshold_words(alert)}, and within {_format_figure(metric, usual.get(segment))}, which is usual here"
        )
    return AlertVerdict(name, "ok", value, f"{name}: {metric} is {_format_figure(metric, value)}{why}")


def _worst_segment(
    alert: Alert, broken: Mapping[str, float | None], limits: Mapping[str, float | None]
) -> tuple[float | None, str]:
    """Return the value of the first broken segment, and a sentence on it with the number of the others."""
    metric, (segment, value) = alert.metric, next(iter(broken.items()))
    where = f" in {segment}" if segment else ""
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    limit = limits.get(segment)
    usual = f" and {_format_figure(metric, limit)}, which is usual here" if limit is not None else ""
    words = f"{threshold_words(alert)}{usual}"
    return value, f"{alert.name}: {metric}{where} is {_format_figure(metric, value)}, {words}{more}"


def is_broken(alert: Alert, value: float | None, limit: float | None = None) -> bool | None:
    """Return whether one value is beyond the threshold, and above the limit that its past told; None without a value."""
    if value is None:
        return None
    low, high = alert.bounds
    beyond = (low is not None and value < low) or (high is not None and value > high)
    return beyond and (limit is None or value > limit)


def threshold_excess(alert: Alert, value: float | None) -> float:
    """Return how far a value is beyond the threshold, in the metric's unit; 0 within it, and 0 without a value."""
    if value is None:
        return 0.0
    low, high = alert.bounds
    return max(0.0, low - value if low is not None else 0.0, value - high if high is not None else 0.0)


def threshold_words(alert: Alert) -> str:
    """Return the threshold in words."""
    if alert.outside:
        return f"outside {alert.outside[0]:g} to {alert.outside[1]:g}"
    if isinstance(alert.above, timedelta):
        return f"above {format_duration(alert.above)}"
    return f"above {alert.above:g}" if alert.above is not None else f"below {alert.below:g}"


def _format_figure(metric: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value / _DAY:.1f} days" if METRICS[metric].unit == "duration" else f"{value:.4g}"
