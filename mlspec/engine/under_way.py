"""Long work that a target started and that runs without mlspec: it is recorded, and a later attempt finds whether it is over.

A pass does not wait for it. `apply` and the tasks of a DAG do, without the forecast's lock, and then make the same attempt again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from mlspec.engine.context import Engine
from mlspec.engine.effects import ForecastWork
from mlspec.engine.pass_plan import work_key
from mlspec.errors import MlspecError, WorkUnderWay
from mlspec.plan.started_work import is_overdue, overdue_error, started_work, with_started, without_steps
from mlspec.state.ledger import StartedWork
from mlspec.state.observed import Settlement

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
PATIENCE = 60.0  # seconds to wait for a lock after a wait for work: a pass of the loop holds it for less


@contextmanager
def recorded_start(work: ForecastWork) -> Iterator[None]:
    """Record the long work that a block finds running, before the error goes on. Raises TargetError once it is overdue."""
    try:
        yield
    except WorkUnderWay as under_way:
        record_started(work, under_way)
        raise


@contextmanager
def own_work(work: ForecastWork) -> Iterator[None]:
    """Record the long work that a block finds running, and forget it when the block is over, well or not.

    For what is no step of a pass, whose end forgets it. A failure is forgotten too, so that the same call tries it again.
    """
    try:
        with recorded_start(work):
            yield
    except WorkUnderWay:
        raise
    except MlspecError:
        forget_used(work)
        raise
    forget_used(work)


def record_started(work: ForecastWork, under_way: WorkUnderWay) -> StartedWork:
    """Record work that runs, unless it is recorded, and return the record. Overdue work is cancelled: raises TargetError."""
    ledger, now = work.observed.ledger, work.engine.clock()
    started = started_work(under_way, ledger, work_key(work.desired, work.engine.mlspec), now, work.step)
    if is_overdue(started, now):
        work.engine.target.cancel_work(started)
        raise overdue_error(started) from under_way
    if started not in ledger.under_way:
        work.record_settlement(Settlement(work.name, ledger=with_started(ledger, started)))
        logger.info("started: %s", under_way.message, extra={"forecast": work.name})
    return started


def forget_used(work: ForecastWork) -> None:
    """Record that the long work of this step was used, or is of no use: `status` waits for it no more."""
    ledger = without_steps(work.observed.ledger, (work.step,))
    if ledger != work.observed.ledger:
        work.record_settlement(Settlement(work.name, ledger=ledger))


def finish_by_waiting(engine: Engine, name: str, attempt: Callable[[float], Result], lock_timeout: float) -> Result:
    """Make an attempt until it finds nothing running that it needs, and wait in between. Raises what the attempt raises.

    `attempt` gets the seconds to wait for the forecast's lock. The lock is not held during a wait.
    """
    while True:
        try:
            return attempt(lock_timeout)
        except WorkUnderWay as under_way:
            wait_for(engine, name, under_way)
            lock_timeout = max(lock_timeout, PATIENCE)


def wait_for(engine: Engine, name: str, under_way: WorkUnderWay) -> None:
    """Wait until work is over, or has to be."""
    engine.tell(name, under_way.what, 0, 0, under_way.message)
    now = engine.clock()
    started = started_work(under_way, engine.target.observe_forecast(name).ledger, "", now)
    engine.target.wait_for_work((started,), under_way.limit)
