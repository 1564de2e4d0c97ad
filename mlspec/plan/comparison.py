"""Decides whether another version would have done better on the same periods. If not, a rollback does not help.

Then demand changed, not the model. Both versions forecast the same series and periods from the same cutoffs, so a week that is
hard to forecast is hard for both: a paired comparison (Diebold and Mariano 1995, Comparing Predictive Accuracy, pair errors the
same way).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from mlspec.plan.thresholds import judge_alert, threshold_bounds, threshold_excess
from mlspec.spec.alerts import Alert

Segments = Mapping[str, Sequence[float | None]]
Limits = Mapping[str, float | None]
# By which share of the worst value another version has to be better, even if it stays within the threshold. Our own choice: two
# versions of like quality differ by some percent by chance, and one of them may just be within the threshold.
LEAST_GAIN = 0.1
_SMALLEST = 1e-9  # of a value that a gain is a share of
# If the other version breaks the threshold too, its excess over the threshold has to be smaller by at least this share. Our own
# choice: a smaller difference may be noise, and is not worth a move of traffic.
LEAST_IMPROVEMENT = 0.5


def would_do_better(alert: Alert, own: Segments, other: Segments, limits: Limits | None = None) -> bool:
    """Return whether the `other` version would have done better than what serves (`own`), by one alert on quality.

    Values are by segment, the newest window first; `limits` are what is usual by segment, for both versions the same. Without a
    value of the other version the answer is True: the spec's policy asks for a rollback, and no evidence is against it.
    """
    usual = limits or {}
    if _relative_gain(alert, own, other, usual) < LEAST_GAIN:
        return False
    if judge_alert(alert, other, usual).state != "firing":
        return True
    return _worst_excess(alert, other, usual) <= (1 - LEAST_IMPROVEMENT) * _worst_excess(alert, own, usual)


def _relative_gain(alert: Alert, own: Segments, other: Segments, usual: Limits) -> float:
    """Return how much nearer the threshold the other version is, as a share of the value, in the segment that is worst for `own`.

    Infinite if one of them has no value there.
    """
    worst = max(own, key=lambda segment: threshold_excess(alert, _newest(own, segment), usual.get(segment)), default="")
    value, instead = _newest(own, worst), _newest(other, worst)
    if value is None or instead is None:
        return math.inf
    low, _high = threshold_bounds(alert, usual.get(worst))
    gain = instead - value if low is not None and value < low else value - instead
    return gain / max(abs(value), _SMALLEST)


def _newest(segments: Segments, segment: str) -> float | None:
    values = segments.get(segment)
    return values[0] if values else None


def _worst_excess(alert: Alert, segments: Segments, usual: Limits) -> float:
    """Return how far the newest window is beyond the threshold, in the worst segment; 0 if none is."""
    return max(
        (threshold_excess(alert, values[0], usual.get(name)) for name, values in segments.items() if values),
        default=0.0,
    )


def comparison_note(incident: str, version: str, evidence: str) -> str:
    """Return the note that no version would have done better, on this evidence. New evidence starts a new comparison."""
    return f"{_comparison_prefix(incident, version)}{evidence}"


def with_comparison_note(acted: Sequence[str], incident: str, version: str, evidence: str) -> tuple[str, ...]:
    """Return the notes with this comparison in place of an earlier one of the same incident and version."""
    prefix = _comparison_prefix(incident, version)
    return (*(note for note in acted if not note.startswith(prefix)), comparison_note(incident, version, evidence))


def _comparison_prefix(incident: str, version: str) -> str:
    return f"{incident}:{version}:weighed:"
