"""An alert is answered at once: what serves gives way where the record says already that it has to.

The loop in a hurry, and no second one: the same decision, on the same record, under the same lock. It runs no step, because it may
stand in a small place that is called from outside. Where a decision needs what nobody has measured yet, the next pass takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from mlspec.engine import weighing
from mlspec.engine.context import Engine
from mlspec.engine.effects import Work
from mlspec.engine.evaluation import evaluate_served, measured, server_alarms
from mlspec.engine.giving_way import Move, decided, has_news, judge_again, move, move_due
from mlspec.engine.one_pass import Pass
from mlspec.engine.outlook import mode
from mlspec.errors import Exit, MlspecError
from mlspec.plan.desired import Wanted
from mlspec.plan.rollback import RollBack, Stay
from mlspec.plan.rollout import Abort, Shift
from mlspec.state.observed import Observed, SourceFacts
from mlspec.state.step import FarStep, Progress, StepRequest
from mlspec.targets.base import Target


class Unmeasured(MlspecError):
    """A decision needs a step that was not run yet."""

    exit_code = Exit.NOT_WELL


def answer(target: Target, forecast: str, clock: Callable[[], str]) -> Pass:
    """Judge what serves of one forecast as it was released, and move traffic back where that follows; return what came of it.

    `clock` returns RFC 3339 in UTC. Errors are noted in what is returned, as a pass does. Where nothing is due no lock is
    taken, and for a lock that is held nobody waits: whoever holds it, or the pass after, decides the same.
    """
    found = Pass(forecast)
    try:
        if _due(target, forecast, clock, found):
            with target.lock(forecast, "answer", clock(), 0.0):
                now = clock()  # one moment for what is asked and what is done: nothing comes due in between
                if work := _due(target, forecast, lambda: now, found):
                    _judge(work, found)
    except Unmeasured as error:
        found.waits = [error.message]
    except MlspecError as error:
        found.error = error
    return found


def _judge(work: Work, found: Pass) -> None:
    """Evaluate by what is filed, at least by what servers counted, and move traffic back where that follows; never forward."""
    try:
        judge_again(work, found)
    except Unmeasured:
        if server_alarms(work, work.engine.target.observe(work.name)):
            found.heard += evaluate_served(work).heard
    if not _forward(move_due(work, work.engine.target.observe(work.name)), found):
        move(work, found)


def _forward(due: Move | None, found: Pass) -> bool:
    """Return whether a rollout would take its next step: on a message's word, whose evidence may be old, it takes none."""
    if isinstance(due, Shift):
        found.waits = [f"a rollout goes on at the next pass: {due.why}"]
    return isinstance(due, Shift)


def _due(target: Target, forecast: str, clock: Callable[[], str], found: Pass) -> Work | None:
    """Return the work on a forecast of which there is something to judge or to move back; note why there is none.

    Raises Unmeasured where what is filed is not enough to judge by.
    """
    work, observed = _work(target, forecast, clock), target.observe(forecast)
    found.waits = [] if work else ["nothing serves"]
    # Also where another resource alone is only observed: who keeps anything to themselves is asked by a whole pass.
    found.paused = any(each.type == "Paused" and each.status == "True" for each in observed.conditions)
    if work is None or found.paused or mode(work.wanted.spec, "deployment") != "enforce":
        return None
    if observed.ledger.spec != work.wanted.spec_hash:
        raise Unmeasured("the spec is not the newest release's any more: the next pass decides")
    due = move_due(work, observed)
    if (due and not _forward(due, found)) or _judgeable(work, observed):
        return work
    decision = decided(work, observed)
    found.waits += [decision.why] if isinstance(decision, Stay) and decision.why else []
    return None


def _judgeable(work: Work, observed: Observed) -> bool:
    """Return whether there is something new to judge by what is filed, or a server's alarm, which needs nothing filed."""
    if not has_news(work, observed):
        return False
    try:
        measured(work, observed)
    except Unmeasured:
        if not server_alarms(work, observed):
            raise
    return True


def weigh_ahead(work: Work) -> None:
    """Measure what a move of traffic will be decided by, where one is due, so that it is filed when the alert is answered.

    Moves nothing and records nothing but steps. What goes wrong here goes wrong again in the pass that moves, which says so.
    """
    if mode(work.wanted.spec, "deployment") != "enforce":
        return
    now = replace(work, moment=None)  # whoever answers knows of no scheduled moment
    observed = work.engine.target.observe(work.name)
    try:
        due = move_due(now, observed)
        if isinstance(due, RollBack | Abort):
            weighing.measure(now, observed, due)
    except Exception as error:  # noqa: BLE001  (what was judged is recorded; a task that failed here would tell another story)
        said = error.message if isinstance(error, MlspecError) else type(error).__name__
        work.engine.tell(work.name, "evaluate", 1, 1, f"what could take over cannot be weighed yet: {said}")


def _work(target: Target, forecast: str, clock: Callable[[], str]) -> Work | None:
    """Return the work on a forecast as its newest release has it, on the data that was read last; None where nothing serves.

    Steps are looked up under the code and the libraries that the last evaluation ran with: neither is here.
    """
    releases, observed = target.releases(forecast), target.observe(forecast)
    data = observed.seen.get("data")
    if not releases or data is None or "deployment" not in observed.seen:
        return None
    source = SourceFacts(str(data.resource.fields["data.digest"]), (), 0)
    made_with = {"code": "", "mlspec": "", "libraries": {}, **observed.ledger.made_with}
    wanted = Wanted(forecast, releases[0].spec, releases[0].spec_hash, source, made_with["code"])
    engine = Engine(
        target,
        _not_here,
        Path(),
        clock,
        made_with["code"],
        made_with["libraries"],
        _to_nobody,
        made_with["mlspec"],
        far=_not_run,
    )
    return Work(engine, wanted)


def _not_run(step: FarStep) -> NoReturn:
    raise Unmeasured(f"{step.step} has to be run for this decision: the next pass does")


def _not_here(request: StepRequest, progress: Progress) -> NoReturn:  # noqa: ARG001
    raise Unmeasured(f"{request.step} cannot be run here")


def _to_nobody(forecast: str, step: str, done: int, total: int, text: str) -> None:
    """Show no progress."""
