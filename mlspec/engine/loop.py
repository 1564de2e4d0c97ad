"""One pass of the loop over many forecasts: each by itself, so that one which fails holds up no other."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.engine.context import Engine, Spec
from mlspec.engine.reconcile import Pass, reconcile_one
from mlspec.errors import Exit, LockHeld, StoppedPartWay, Terminated

_WORST = (Exit.PARTIAL, Exit.FAILED, Exit.LOCKED, Exit.NOT_WELL, Exit.DONE)


def reconcile(engine: Engine, specs: Sequence[Spec], lock_timeout: float = 0.0) -> tuple[Pass, ...]:
    """Make one pass over each spec and return what came of it, in order.

    A signal ends the pass: as StoppedPartWay if anything was written by then, as itself if not.
    """
    begun: list[Pass] = []
    try:
        for spec in specs:
            begun.append(Pass(spec.name))
            reconcile_one(engine, spec, begun[-1], lock_timeout)
    except (KeyboardInterrupt, Terminated) as stopped:
        if not any(each.work and each.work.written for each in begun):
            raise
        name = "SIGINT" if isinstance(stopped, KeyboardInterrupt) else "SIGTERM"
        raise StoppedPartWay(
            f"stopped by {name}; what was done is recorded", hint="the next pass goes on from there"
        ) from None
    return tuple(begun)


def exit_code(passes: Sequence[Pass]) -> Exit:
    """Return the exit code of one pass over several forecasts."""
    codes = {_code(each) for each in passes}
    return next(code for code in _WORST if code in codes or code == Exit.DONE)


def _code(each: Pass) -> Exit:
    if each.error:
        partial = bool(each.did) and not isinstance(each.error, LockHeld)
        return Exit.PARTIAL if partial else each.error.exit_code
    return Exit.NOT_WELL if each.kept_out else Exit.DONE
