"""Decides an alert's state from its values. Without a value the state is `no-data`, neither good nor bad."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from mlspec.spec.alerts import Alert
from mlspec.spec.duration import format_duration
from mlspec.spec.metrics import find_metric, metric_kind

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

    A segment of `limits` has a limit of its own, which its past told: a value that is within it is not beyond the threshold. An
    alert without a threshold is judged by this limit alone, and one on accuracy that names a rate has no verdict without it.

    The alert fires if one segment fires. It is pending if one segment is beyond the threshold now, but was not so often enough.
    Without a value in any segment, or without anything to judge it by, it is no-data.
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
    judgeable = segments if not alert.needs_past else {name for name in segments if usual.get(name) is not None}
    known_values = {
        segment: values[0]
        for segment, values in segments.items()
        if segment in judgeable and values and values[0] is not None
    }
    if broken or near:
        state: MeasuredState = "firing" if broken else "pending"
        return AlertVerdict(name, state, *_worst_segment(alert, broken or near, usual))
    if not known_values:
        return AlertVerdict(name, "no-data", None, f"{name}: {_why_no_verdict(alert, segments)}")
    segment, value = next(iter(known_values.items()))
    why = _why_within(alert, value, usual.get(segment))
    return AlertVerdict(name, "ok", value, f"{name}: {metric} is {_format_figure(metric, value)}{why}")


def _why_no_verdict(alert: Alert, segments: Mapping[str, Sequence[float | None]]) -> str:
    """Return what a verdict lacks: values, or a past that tells what is usual."""
    if alert.needs_past and any(values and values[0] is not None for values in segments.values()):
        return f"the backtest has too few windows to tell which {alert.metric} is usual"
    return f"{alert.metric} has too little data for a verdict"


def _why_within(alert: Alert, value: float | None, limit: float | None) -> str:
    """Return why a value is well although it is beyond the threshold, or within what when there is none."""
    if limit is None or not (alert.is_by_past_alone or is_broken(alert, value)):
        return ""
    if alert.is_by_past_alone:
        return f", {_usual_words(alert.metric, limit, within=True)}"
    return f": {threshold_words(alert)}, and within {_format_figure(alert.metric, limit)}, which is usual here"


def _worst_segment(
    alert: Alert, broken: Mapping[str, float | None], limits: Mapping[str, float | None]
) -> tuple[float | None, str]:
    """Return the value of the first broken segment, and a sentence on it with the number of the others."""
    metric, (segment, value) = alert.metric, next(iter(broken.items()))
    where = f" in {segment}" if segment else ""
    more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
    limit = limits.get(segment)
    if alert.is_by_past_alone and limit is not None:
        words = _usual_words(metric, limit, within=False)
    else:
        usual = f" and {_format_figure(metric, limit)}, which is usual here" if limit is not None else ""
        words = f"{threshold_words(alert)}{usual}"
    return value, f"{alert.name}: {metric}{where} is {_format_figure(metric, value)}, {words}{more}"


def is_broken(alert: Alert, value: float | None, limit: float | None = None) -> bool | None:
    """Return whether one value is beyond the threshold, and beyond the limit that its past told; None without a value."""
    if value is None:
        return None
    if limit is None and alert.needs_past:
        return False
    if not _is_beyond(threshold_bounds(alert, limit), value):
        return False
    return limit is None or _is_beyond(find_metric(alert.metric).bounds_of(limit), value)


def threshold_bounds(alert: Alert, limit: float | None) -> tuple[float | None, float | None]:
    """Return the values below and above which an alert is broken: its own, or where it has none those that its past told."""
    if alert.is_by_past_alone and limit is not None:
        return find_metric(alert.metric).bounds_of(limit)
    return alert.bounds


def _is_beyond(bounds: tuple[float | None, float | None], value: float) -> bool:
    low, high = bounds
    return (low is not None and value < low) or (high is not None and value > high)


def threshold_excess(alert: Alert, value: float | None, limit: float | None = None) -> float:
    """Return how far a value is beyond the threshold, in the metric's unit; 0 within it, and 0 without a value."""
    if value is None:
        return 0.0
    low, high = threshold_bounds(alert, limit)
    return max(0.0, low - value if low is not None else 0.0, value - high if high is not None else 0.0)


def threshold_words(alert: Alert) -> str:
    """Return the threshold in words."""
    if alert.outside:
        return f"outside {alert.outside[0]:g} to {alert.outside[1]:g}"
    if isinstance(alert.above, timedelta):
        return f"above {format_duration(alert.above)}"
    return f"above {alert.above:g}" if alert.above is not None else f"below {alert.below:g}"


def _usual_words(metric: str, limit: float, *, within: bool) -> str:
    """Return what is usual by the past, and on which side of it a value is."""
    low, high = find_metric(metric).bounds_of(limit)
    shown = [_format_figure(metric, side) for side in (low, high) if side is not None]
    if len(shown) > 1:
        return f"{'within' if within else 'outside'} {' to '.join(shown)}, which is usual here"
    beyond = "below" if low is not None else "above"
    return f"{f'not {beyond}' if within else beyond} {shown[0]}, which is usual here"


def _format_figure(metric: str, value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value / _DAY:.1f} days" if metric_kind(metric) == "age" else f"{value:.4g}"
