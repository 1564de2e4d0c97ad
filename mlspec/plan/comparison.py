"""Would another version have done better on the same periods? If not, demand moved and not the model, and a rollback mends nothing.

Both versions forecast the same series and periods from the same cutoffs, so that a hard week is hard for both: a paired comparison
(Diebold and Mariano 1995, Comparing Predictive Accuracy, pair errors the same way).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlspec.plan.thresholds import judge_alert, threshold_excess
from mlspec.spec.forecast import Alert

Segments = Mapping[str, Sequence[float | None]]
# A version that breaks the threshold too has to undo at least this share of what the other is beyond it. Our own choice: a move of
# traffic is not worth a difference that the next weeks' noise may turn around.
LEAST_IMPROVEMENT = 0.5


def would_do_better(alert: Alert, own: Segments, other: Segments) -> bool:
    """Return whether the `other` version would have done better than what serves (`own`), by one alert on quality.

    Values by segment, the newest window first. What cannot be told (no value of the other) counts as better: the spec's policy
    asks for a rollback, and nothing speaks against it.
    """
    if judge_alert(alert, other).state != "firing":
        return True
    return _worst_excess(alert, other) <= (1 - LEAST_IMPROVEMENT) * _worst_excess(alert, own)


def _worst_excess(alert: Alert, segments: Segments) -> float:
    """Return how far the newest window is beyond the threshold, in the worst segment; 0 where none is."""
    return max((threshold_excess(alert, values[0]) for values in segments.values() if values), default=0.0)


def comparison_note(incident: str, version: str, evidence: str) -> str:
    """Return what is noted where nothing would have done better, on this evidence: with more of it, it is weighed again."""
    return f"{_comparison_prefix(incident, version)}{evidence}"


def with_comparison_note(acted: Sequence[str], incident: str, version: str, evidence: str) -> tuple[str, ...]:
    """Return the notes with this weighing in place of an earlier one of the same incident and version."""
    prefix = _comparison_prefix(incident, version)
    return (*(note for note in acted if not note.startswith(prefix)), comparison_note(incident, version, evidence))


def _comparison_prefix(incident: str, version: str) -> str:
    return f"{incident}:{version}:weighed:"
