"""Turns an unexpected exception into an error: it ends the work on one forecast only, and its traceback is logged."""

from __future__ import annotations

import logging
from dataclasses import replace

from mlspec.engine.context import Engine, Spec
from mlspec.errors import Defect, MlspecError
from mlspec.log_context import without_known_secrets
from mlspec.plan.backoff import MOST_ATTEMPTS, ended_pass, must_wait, next_defect, pass_key
from mlspec.plan.health import healthy_condition
from mlspec.plan.notices import pending_notices, stalled_notice
from mlspec.spec.secrecy import redact_secrets
from mlspec.state.ledger import Ledger
from mlspec.state.observed import Observed, Settlement
from mlspec.state.record import Event

logger = logging.getLogger(__name__)
_LONGEST = 200  # characters of an exception's text that are kept in the state


def as_error(error: Exception) -> MlspecError:
    """Return `error` itself if it is an MlspecError, else a Defect that names it; the traceback is logged before."""
    if isinstance(error, MlspecError):
        return error
    first_line = next(iter(f"{type(error).__name__}: {error}".splitlines()), "")
    said = redact_secrets(without_known_secrets(first_line))[:_LONGEST]
    logger.error("a defect of mlspec: %s", said, exc_info=error)
    defect = Defect(f"a defect of mlspec: {said}", hint="please report it, with the traceback that was logged")
    defect.__cause__ = error
    return defect


def record_defect(engine: Engine, spec: Spec, error: MlspecError) -> None:
    """Record a defect that ended the work on a forecast: `status` shows it, and the loop waits before it tries again.

    Does nothing for any other error, and if the record itself cannot be written: whoever calls reports the error anyway. The event
    is recorded once for each defect, and people are notified at the tenth attempt.
    """
    if not isinstance(error, Defect):
        return
    try:
        with engine.target.lock_forecast(spec.name, "record a defect", engine.clock(), 0.0):
            record_defect_under_lock(engine, spec, error)
    except Exception as problem:  # the record itself may be broken
        logger.debug("the defect could not be recorded", exc_info=problem)


def record_defect_under_lock(engine: Engine, spec: Spec, defect: MlspecError) -> None:
    """Do the work of `record_defect` for a caller that holds the forecast's lock. Raises the errors of the record."""
    at, before = engine.clock(), engine.target.observe_forecast(spec.name).ledger
    failure = next_defect(before.failure, pass_key(spec.spec_hash, engine.mlspec), defect.message, at)
    is_known = ended_pass(before.failure) and before.failure is not None and before.failure.reason == failure.reason
    after = replace(before, failure=failure)
    notices = (stalled_notice(spec.forecast, defect.message, at),) if failure.count == MOST_ATTEMPTS else ()
    settlement = Settlement(
        spec.name,
        events=() if is_known else (Event(spec.name, at, "Warning", "Defect", defect.message),),
        conditions=(healthy_condition(spec.name, after, at),),
        ledger=after,
        notices=pending_notices(spec.forecast, notices, at),
    )
    engine.target.record_settlement(settlement, at)


def waiting_defect(engine: Engine, spec: Spec, ledger: Ledger) -> Defect | None:
    """Return the defect that ended the last pass over a forecast, if it is too early to try again; else None."""
    failure = ledger.failure
    if failure is None or not must_wait(failure, pass_key(spec.spec_hash, engine.mlspec), engine.clock()):
        return None
    return Defect(
        f"{failure.reason}; it is tried again at {failure.next_at}",
        hint=f"please report it, with the traceback that was logged; `mlspec resume {spec.name}` tries again now",
    )


def forget_defect(engine: Engine, observed: Observed) -> None:
    """Record that work on a forecast succeeded after a defect. The caller holds the forecast's lock."""
    if not ended_pass(observed.ledger.failure):
        return
    at, after = engine.clock(), replace(observed.ledger, failure=None)
    condition = healthy_condition(observed.forecast, after, at)
    engine.target.record_settlement(Settlement(observed.forecast, conditions=(condition,), ledger=after), at)
