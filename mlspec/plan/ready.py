"""Decides from its conditions whether a forecast is ready. An unknown condition is neither good nor bad."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.state.record import Condition

NEEDED = ("DataReady", "ModelReady", "Deployed")
DESTROYED = "nothing is applied, since it was destroyed: `mlspec apply` makes it again from its spec"
"""Why a forecast is not ready of which only the history is left."""


def is_ready(conditions: Sequence[Condition]) -> bool:
    """Return whether the conditions of data, model and deployment are True and no other condition is False."""
    status: dict[str, str] = {condition.type: condition.status for condition in conditions}
    return all(status.get(kind) == "True" for kind in NEEDED) and "False" not in status.values()


def why_not_ready(conditions: Sequence[Condition]) -> str:
    """Return the message of the first condition because of which a forecast is not ready; empty if it is ready."""
    by_type: dict[str, Condition] = {condition.type: condition for condition in conditions}
    for kind in NEEDED:
        condition = by_type.get(kind)
        if condition is None and "Progressing" in by_type:
            return by_type["Progressing"].message
        if condition is None:
            return f"{kind} is not known yet"
        if condition.status != "True":
            return condition.message
    return next((condition.message for condition in conditions if condition.status == "False"), "")
