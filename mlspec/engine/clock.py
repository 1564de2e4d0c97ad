"""Records the correction of moments that a wrong clock left in a forecast's state (`plan.clock`)."""

from __future__ import annotations

import logging

from mlspec.plan.clock import ClockCorrection, correct_clock
from mlspec.state.observed import Observed, Settlement
from mlspec.state.record import Event
from mlspec.targets.base import Target, TargetView

logger = logging.getLogger(__name__)


def observe_corrected(target: TargetView, name: str, now: str) -> tuple[Observed, ClockCorrection | None]:
    """Return a forecast's observed state without moments in the future, and the correction if there were any. Writes nothing."""
    observed = target.observe_forecast(name)
    correction = correct_clock(observed, now)
    return (correction.observed if correction else observed), correction


def record_clock_correction(target: Target, before: Observed, now: str) -> Observed:
    """Record a forecast's state without moments in the future, with an event, and return it. The caller holds the forecast's lock.

    Returns `before`, and writes nothing, if no moment is wrong.
    """
    correction = correct_clock(before, now)
    if correction is None:
        return before
    name, after, deployment = before.forecast, correction.observed, correction.observed.resources.get("deployment")
    conditions = tuple(
        condition for condition, old in zip(after.conditions, before.conditions, strict=True) if condition != old
    )
    logger.warning("%s", correction.sentence, extra={"forecast": name})
    return target.record_settlement(
        Settlement(
            name,
            resource=deployment if deployment != before.resources.get("deployment") else None,
            ledger=after.ledger,
            conditions=conditions,
            events=(Event(name, now, "Warning", "ClockCorrected", correction.sentence),),
        ),
        now,
    )
