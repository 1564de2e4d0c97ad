"""One pass of the loop over many forecasts: each by itself, so that one which fails holds up no other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mlspec.engine.context import Engine, Spec
from mlspec.engine.crew import together
from mlspec.engine.one_pass import Pass
from mlspec.engine.reconcile import look_at, work_on
from mlspec.errors import Exit, LockHeld, StoppedPartWay, TargetError, Terminated

_WORST = (Exit.PARTIAL, Exit.FAILED, Exit.LOCKED, Exit.NOT_WELL, Exit.DONE)


def reconcile(engine: Engine, specs: Sequence[Spec], lock_timeout: float = 0.0, at_once: int = 1) -> tuple[Pass, ...]:
    """Make one pass over each spec and return what came of it, in order. At most `at_once` forecasts are worked on at a time.

    A signal ends the pass: as StoppedPartWay if anything was to be done, as itself if not.
    """
    found = [Pass(spec.name) for spec in specs]
    with engine.target.session():
        busy = [place for place, spec in enumerate(specs) if look_at(engine, spec, found[place])]
    try:
        if min(at_once, len(busy)) > 1:
            works = [partial(_apart, engine, specs[place], found[place], lock_timeout) for place in busy]
            done = together(works, at_once, lambda at, code: _lost(found[busy[at]], code))
            for place, each in zip(busy, done, strict=True):
                found[place] = each
        else:
            for place in busy:
                work_on(engine, specs[place], found[place], lock_timeout)
    except (KeyboardInterrupt, Terminated) as stopped:
        name = "SIGINT" if isinstance(stopped, KeyboardInterrupt) else "SIGTERM"
        raise StoppedPartWay(
            f"stopped by {name}; what was done is recorded", hint="the next pass goes on from there"
        ) from stopped
    return tuple(found)


def _apart(engine: Engine, spec: Spec, found: Pass, lock_timeout: float) -> Pass:
    work_on(engine, spec, found, lock_timeout)
    return found


def _lost(found: Pass, code: int) -> Pass:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    found.error = TargetError(
        f"the process that worked on {found.forecast} {how}",
        hint="signal 9 is most often want of memory: lower --jobs, or list fewer candidates",
    )
    return found


def exit_code(passes: Sequence[Pass]) -> Exit:
    """Return the exit code of one pass over several forecasts."""
    codes = {_code(each) for each in passes}
    return next(code for code in _WORST if code in codes or code == Exit.DONE)


def _code(each: Pass) -> Exit:
    if each.error:
        return Exit.PARTIAL if each.did and not isinstance(each.error, LockHeld) else each.error.exit_code
    return Exit.NOT_WELL if each.kept_out else Exit.DONE
