"""The loop's pass over one forecast: observe, mend, judge, roll back, train, roll out, forecast. Decides nothing itself.

Level-triggered: a pass follows from what is seen and from the ledger, never from what woke it. So it may be run again, late, twice
or after a crash, and one with nothing new to see writes nothing.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from mlspec.engine.apply import EFFECTS, perform
from mlspec.engine.closing import close, unsaid, waiting
from mlspec.engine.context import Engine, Spec
from mlspec.engine.defects import as_error
from mlspec.engine.effects import Work
from mlspec.engine.giving_way import Move, decided, has_news, judge_again, judge_what_serves, move_due
from mlspec.engine.one_pass import Pass
from mlspec.engine.outlook import Outlook, look, mode
from mlspec.errors import DataError, Defect, GateClosed, MissingExtra, MlspecError, ModelError, Refused, SpecError
from mlspec.log_context import forecast_scope
from mlspec.plan import rollback, telling
from mlspec.plan.backoff import failed
from mlspec.plan.diff import changes
from mlspec.plan.rollout import Abort, Shift
from mlspec.plan.training import asking, learnt, recent
from mlspec.state.ledger import Failure
from mlspec.state.notice import Pending
from mlspec.state.observed import Settlement
from mlspec.state.record import Condition, Event
from mlspec.state.resource import Kind

logger = logging.getLogger(__name__)
_MOVES: dict[type[Move], str] = {
    Shift: "a rollout would go on", Abort: "a rollout would be given up",
    rollback.RollBack: "what serves would be rolled back", rollback.Give: "what serves would be held",
}  # fmt: skip
# Trying again mends none of these: something has to change first.
_PERMANENT = (DataError, ModelError, SpecError, MissingExtra, Refused)
_LOOK = "look"  # the key of a failure where no work was begun: the look itself is a defect's place


def reconcile_one(engine: Engine, spec: Spec, found: Pass, lock_timeout: float = 0.0) -> None:
    """Make one pass over one forecast, and note in `found` what came of it, errors included: they hold up no other."""
    if look_at(engine, spec, found):
        work_on(engine, spec, found, lock_timeout)


def look_at(engine: Engine, spec: Spec, found: Pass) -> bool:
    """Return whether there is something to do for a forecast; takes no lock, but to say once that it is paused."""
    with forecast_scope(spec.name):
        try:
            if spec.json["reconcile"]["mode"] == "pause":
                _paused(engine, spec, found)
                return False
            return not _idle(engine, spec, found)
        except Exception as error:  # a defect in one forecast's look holds up no other
            found.error = as_error(error)
            logger.debug("looking failed", exc_info=error)
            if isinstance(found.error, Defect):
                _keep_defect(engine, spec, found.error)
            return False


def work_on(engine: Engine, spec: Spec, found: Pass, lock_timeout: float) -> None:
    """Do what there is to do for a forecast, under its lock, and note it in `found`."""
    with forecast_scope(spec.name):
        try:
            with engine.target.lock(spec.name, "reconcile", engine.clock(), lock_timeout):
                _pass(engine, spec, found)
        except Exception as error:  # a defect in one forecast's work holds up no other
            found.error = as_error(error)
            logger.debug("the pass failed", exc_info=error)


def _idle(engine: Engine, spec: Spec, found: Pass) -> bool:
    """Return whether there is nothing to do, so that no lock is taken; says what waits."""
    ahead = look(engine, spec)
    work = Work(engine, ahead.wanted)
    _say_what_is_left(work, ahead, found)
    found.error = ahead.missing
    seen = ahead.todo or ahead.handled or unsaid(ahead, ahead.observed.conditions, found.reported, "")
    moves_on = mode(spec.json, "deployment") == "enforce" and move_due(work, ahead.observed)
    # Who answers an alert goes by the newest release, and has to know where the spec is another by now.
    another = ahead.observed.ledger.spec not in ("", spec.spec_hash)
    mended = ahead.observed.ledger.failure is not None and ahead.observed.ledger.failure.key == _LOOK
    return not (seen or another or mended or has_news(work, ahead.observed) or moves_on)


def _say_what_is_left(work: Work, ahead: Outlook, found: Pass) -> None:
    """Note what is not done and why, and what is only observed: changes, and a move of traffic."""
    found.waits += waiting(ahead)
    found.reported = [f"{each.resource}: {each.reason}" for each in ahead.reported]
    decision = decided(work, ahead.observed)
    if isinstance(decision, rollback.Stay) and decision.why and decision.why not in found.waits:
        found.waits.append(decision.why)
    if mode(work.wanted.spec, "deployment") == "observe":
        move = move_due(work, ahead.observed)
        found.reported += [f"deployment.{work.name}: {_MOVES[type(move)]}: {move.why}"] if move else []


def _pass(engine: Engine, spec: Spec, found: Pass) -> None:
    ahead = look(engine, spec)
    found.waits.clear()
    work = Work(engine, ahead.wanted)
    try:
        _step(work, ahead, "data", found)
        judge_what_serves(work, found)
        ahead = look(engine, spec)  # what was learnt may ask for a training, or have moved what serves
        work.wanted = ahead.wanted
        _make(work, ahead, found)
    except Exception as error:
        failure = as_error(error)
        _fail(work, ahead.key, failure)
        if failure is error:
            raise
        raise failure from error
    judge_again(work, found)
    ahead = _look_again(work, ahead)
    _say_what_is_left(work, ahead, found)
    close(work, ahead, found.reported)


def _step(work: Work, ahead: Outlook, kind: Kind, found: Pass) -> None:
    """Carry out one resource's change, if it is the loop's to carry out."""
    if any(each.resource.startswith(f"{kind}.") for each in ahead.todo):
        change = ahead.change(kind)
        perform(work, kind, EFFECTS[kind])
        found.did.append(f"{change.resource}: {change.reason}")


def _make(work: Work, ahead: Outlook, found: Pass) -> None:
    """Train what is due, let it take over, and make the forecast."""
    try:
        if ahead.training and ahead.training.by_itself and any(c.resource.startswith("model.") for c in ahead.todo):
            _count_training(work)
        _step(work, ahead, "model", found)
    except GateClosed as closed:
        found.kept_out = True
        found.did.append(closed.message)
    kinds: tuple[Kind, ...] = ("deployment", "forecast")
    for kind in kinds:
        _step(work, _look_again(work, ahead), kind, found)


def _look_again(work: Work, ahead: Outlook) -> Outlook:
    """Return the outlook after an effect: the same wants, against what is seen now."""
    observed = work.engine.target.observe(work.name)
    return replace(ahead, observed=observed, changes=changes(work.wanted, observed))


def _count_training(work: Work) -> None:
    """Record that the loop starts a training, before it does: a run that is killed has used its part of the budget."""
    observed, at = work.engine.target.observe(work.name), work.engine.clock()
    ledger = observed.ledger
    started = (*recent(ledger.trainings, at), at)
    asked = tuple(learnt(each.incident) for each in asking(work.wanted.spec, observed))
    work.settle(Settlement(work.name, ledger=replace(ledger, trainings=started, acted=(*ledger.acted, *asked))))


def _paused(engine: Engine, spec: Spec, found: Pass) -> None:
    """Do nothing, and say so once."""
    found.paused = True
    observed = engine.target.observe(spec.name)
    said = any(each.type == "Paused" and each.reason == "PausedBySpec" for each in observed.conditions)
    if observed.seen and not said:
        at = engine.clock()
        condition = Condition(
            spec.name, "Paused", "True", "PausedBySpec", "reconcile.mode is pause: nothing is done", at
        )
        with engine.target.lock(spec.name, "reconcile", at, 0.0):
            engine.target.settle(Settlement(spec.name, conditions=(condition,)), at)


def _keep_defect(engine: Engine, spec: Spec, defect: Defect) -> None:
    """Record, once, that a forecast cannot even be looked at, so that `status` shows it; the next look that succeeds ends it."""
    try:
        ledger, at = engine.target.observe(spec.name).ledger, engine.clock()
        if ledger.failure and (ledger.failure.key, ledger.failure.reason) == (_LOOK, defect.message):
            return
        event = Event(spec.name, at, "Warning", "Defect", defect.message)
        after = replace(ledger, failure=Failure(_LOOK, 1, at, None, defect.message))
        with engine.target.lock(spec.name, "reconcile", at, 0.0):
            engine.target.settle(Settlement(spec.name, events=(event,), ledger=after), at)
    except Exception as error:  # what is broken may be the record itself: the pass tells of it
        logger.debug("the defect could not be recorded", exc_info=error)


def _fail(work: Work, work_key: str, error: MlspecError) -> None:
    """Record that this work failed, and when it is tried again; tell people once trying again will not mend it."""
    at, ledger = work.engine.clock(), work.engine.target.observe(work.name).ledger
    failure = failed(ledger.failure, work_key, error.message, at, permanent=isinstance(error, _PERMANENT))
    events: tuple[Event, ...] = ()
    notices: tuple[Pending, ...] = ()
    if failure.next_at is None:
        said = f"stalled until spec, data or code change: {error.message}"
        events = (Event(work.name, at, "Warning", "Stalled", said),)
        notices = telling.pending(work.wanted.spec, (telling.stalled(work.wanted.spec, said, at),), at)
    work.settle(
        Settlement(
            work.name,
            events=events,
            ledger=replace(ledger, failure=failure, spec=work.wanted.spec_hash),
            notices=notices,
        )
    )
