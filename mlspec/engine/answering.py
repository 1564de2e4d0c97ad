"""An alert is answered at once: what serves gives way where the record says already that it has to.

The loop in a hurry, and no second one: the same decision, on the same record, under the same lock. It runs no step, because it may
stand in a small place that is called from outside. Where a decision needs what nobody has measured yet, the next pass takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from mlspec.engine import weighing
from mlspec.engine.context import Engine
from mlspec.engine.effects import Work
from mlspec.engine.evaluation import measured
from mlspec.engine.giving_way import decided, has_news, judge_what_serves, move_due
from mlspec.engine.one_pass import Pass
from mlspec.engine.outlook import mode
from mlspec.errors import Exit, MlspecError
from mlspec.plan.desired import Wanted
from mlspec.plan.rollback import RollBack, Stay
from mlspec.plan.rollout import Abort
from mlspec.plan.serving import stable
from mlspec.state.observed import SourceFacts
from mlspec.state.step import FarStep, Progress, StepRequest
from mlspec.targets.base import Target


class Unmeasured(MlspecError):
    """A decision needs a step that was not run yet."""

    exit_code = Exit.NOT_WELL


def answer(target: Target, forecast: str, clock: Callable[[], str], code: str, lock_timeout: float = 0.0) -> Pass:
    """Judge what serves of one forecast as it was released, and move traffic where that follows; return what came of it.

    `clock` returns RFC 3339 in UTC, `code` is mlspec's version. Errors are noted in what is returned, as a pass does. Where nothing
    is due no lock is taken: a message that is about nothing keeps nobody waiting.
    """
    found = Pass(forecast)
    try:
        if _due(target, forecast, clock, code, found):
            with target.lock(forecast, "answer", clock(), lock_timeout):
                if work := _due(target, forecast, clock, code, found):
                    found.waits.clear()
                    judge_what_serves(work, found)
    except Unmeasured as error:
        found.waits = [error.message]
    except MlspecError as error:
        found.error = error
    return found


def _due(target: Target, forecast: str, clock: Callable[[], str], code: str, found: Pass) -> Work | None:
    """Return the work on a forecast of which there is something to judge or to move; note why there is none.

    Raises Unmeasured where it cannot be judged by what is filed.
    """
    work = _work(target, forecast, clock, code)
    if work is None:
        found.waits = ["nothing serves"]
        return None
    observed = target.observe(forecast)
    # Also where another resource alone is only observed: who keeps anything to themselves is asked by a whole pass.
    found.paused = any(each.type == "Paused" and each.status == "True" for each in observed.conditions)
    decision = decided(work, observed)
    found.waits = [decision.why] if isinstance(decision, Stay) and decision.why else []
    if news := has_news(work, observed):
        measured(work, observed)  # raises where it was not measured yet
    return work if (news or move_due(work, observed)) and not found.paused else None


def weigh_ahead(work: Work) -> None:
    """Measure what a move of traffic will be decided by, where one is due, so that it is filed when the alert is answered.

    Moves nothing. What goes wrong here goes wrong again in the pass that moves, which says so.
    """
    if mode(work.wanted.spec, "deployment") != "enforce":
        return
    now = replace(work, moment=None)  # whoever answers knows of no scheduled moment
    observed = work.engine.target.observe(work.name)
    with suppress(MlspecError):
        move = move_due(now, observed)
        if isinstance(move, RollBack):
            weighing.first_better(now, observed, str(stable(observed)), move)
        elif isinstance(move, Abort) and observed.ledger.rollout:
            weighing.helps(now, observed, observed.ledger.rollout, move)


def _work(target: Target, forecast: str, clock: Callable[[], str], code: str) -> Work | None:
    """Return the work on a forecast as its newest release has it, on the data that was read last; None where nothing serves.

    A change of the spec, whichever, is another release once the loop acts on it (`plan/fields.py`): the newest is what is applied.
    """
    releases, observed = target.releases(forecast), target.observe(forecast)
    data = observed.seen.get("data")
    if not releases or data is None or "deployment" not in observed.seen:
        return None
    source = SourceFacts(str(data.resource.fields["data.digest"]), (), 0)
    wanted = Wanted(forecast, releases[0].spec, releases[0].spec_hash, source, code)
    return Work(_engine(target, clock, code, _libraries(target, forecast)), wanted)


def _engine(target: Target, clock: Callable[[], str], code: str, libraries: Mapping[str, str]) -> Engine:
    """Return an engine that takes what was filed, and runs no step."""
    return Engine(target, _not_here, Path(), clock, code, libraries, _to_nobody, far=_not_run)


def _libraries(target: Target, forecast: str) -> Mapping[str, str]:
    """Return the libraries that steps ran with last: none of them is here, and what was filed is found by them."""
    versions = target.versions(forecast)
    return dict(versions[0].lineage["libraries"]) if versions else {}


def _not_run(step: FarStep) -> NoReturn:
    raise Unmeasured(f"{step.step} has to be run for this decision: the next pass does")


def _not_here(request: StepRequest, progress: Progress) -> NoReturn:  # noqa: ARG001
    raise Unmeasured(f"{request.step} cannot be run here")


def _to_nobody(forecast: str, step: str, done: int, total: int, text: str) -> None:
    """Show no progress."""
