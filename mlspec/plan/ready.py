"""Is a forecast ready? The sum of its conditions; what is not known is neither good nor bad."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.state.record import Condition

NEEDED = ("DataReady", "ModelReady", "Deployed")


def is_ready(conditions: Sequence[Condition]) -> bool:
    """Return whether data, model and deployment are in order and nothing else is known to be wrong."""
    status: dict[str, str] = {condition.type: condition.status for condition in conditions}
    return all(status.get(kind) == "True" for kind in NEEDED) and "False" not in status.values()


def why_not_ready(conditions: Sequence[Condition]) -> str:
    """Return the sentence of the first condition that keeps a forecast from being ready; empty if it is."""
    by_type: dict[str, Condition] = {condition.type: condition for condition in conditions}
    for kind in NEEDED:
        condition = by_type.get(kind)
        if condition is None:
            return f"{kind} is not known yet"
        if condition.status != "True":
            return condition.message
    return next((condition.message for condition in conditions if condition.status == "False"), "")
