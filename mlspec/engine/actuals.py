"""Writes the actual values of evaluated periods to the table in which users read them beside the forecasts."""

from __future__ import annotations

import logging

from mlspec.engine.effects import ForecastWork
from mlspec.engine.evaluation import evaluation_step
from mlspec.errors import TargetError
from mlspec.state.observed import Observed, Settlement
from mlspec.state.record import Event
from mlspec.state.step import ACTUALS

logger = logging.getLogger(__name__)


def has_actuals_to_publish(work: ForecastWork, observed: Observed) -> bool:
    """Return whether the data is newer than a forecast whose actual values users read in a table of the target."""
    target, cutoff = work.engine.target, observed.find_fact("data", "cutoff")
    return (
        target.publishes_actuals
        and cutoff is not None
        and any(run.cutoff < cutoff for run in target.load_runs(work.name))
    )


def publish_actuals(work: ForecastWork) -> None:
    """Write what the evaluation that is due knows of actual values, year by year, where the target has a table for them.

    Called before the evaluation is recorded: if it is interrupted, the next pass does it. If the table cannot be written, that is
    recorded, and no decision is delayed.
    """
    target = work.engine.target
    if not target.publishes_actuals:
        return
    files = evaluation_step(work, work.observed).outputs
    try:
        for role in sorted(role for role in files if role.startswith(ACTUALS)):
            target.publish_actuals(work.name, role.removeprefix(ACTUALS), files[role])
    except TargetError as error:
        logger.debug("the actual values could not be written", exc_info=error)
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        event = Event(work.name, work.engine.clock(), "Warning", "ActualsNotWritten", message)
        work.record_settlement(Settlement(work.name, events=(event,)))
