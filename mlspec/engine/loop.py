"""One pass of the loop over many forecasts. A forecast that fails does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from mlspec.engine.context import Engine, Spec
from mlspec.engine.outcome import worst_exit_code
from mlspec.engine.part_way import RECORDED, stops_part_way
from mlspec.engine.pass_result import PassOutlook, PassResult
from mlspec.engine.process_pool import run_in_processes
from mlspec.engine.reconcile import look_for_work, run_pass
from mlspec.errors import Exit, LockHeld, Superseded, TargetError
from mlspec.state.ledger import StartedWork


def reconcile_specs(
    engine: Engine,
    specs: Sequence[Spec],
    lock_timeout: float = 0.0,
    at_once: int = 1,
    spread: Callable[[int], bool] = lambda _busy: False,
) -> tuple[PassResult, ...]:
    """Make one pass over each spec and return the results, in order. At most `at_once` forecasts are worked on at a time.

    `spread` gets the number of forecasts that have work. If it returns True, others do that work, and nothing is done here.
    A signal ends the pass: with StoppedPartWay if there was work to do, else with the signal's own exception. Raises the target's
    error if no forecast can be observed.
    """
    with engine.target.hash_files_once():
        with engine.target.read_session():
            outlooks = [look_for_work(engine, spec) for spec in specs]
        if spread(sum(outlook.has_work for outlook in outlooks)):
            return tuple(replace(outlook.result, under_way=()) for outlook in outlooks)
        with stops_part_way(lambda: True, done=RECORDED, hint="the next pass continues from there"):
            return _run_passes(engine, specs, outlooks, lock_timeout, at_once)


def follow_work(
    engine: Engine, specs: Sequence[Spec], results: Sequence[PassResult], seconds: float, lock_timeout: float = 0.0
) -> Iterator[tuple[PassResult, ...]]:
    """Make further passes over the forecasts whose long work ends within `seconds`, and yield the results of each pass.

    `results` are those of the pass that started the work. No pass waits for work: between two passes nothing is locked. The next
    pass is over those forecasts of which some work has ended. A forecast that another run works on is followed no further; one
    whose data was refused, say, goes on with the traffic that this pass began to move.
    """
    until, ended = time.monotonic() + seconds, set[str]()
    following = _work_to_follow(results, ended)
    while (left := until - time.monotonic()) > 0 and any(following.values()):
        over = set(engine.target.wait_for_work([one for works in following.values() for one in works], left))
        ended |= {one.name for one in over}
        able = [spec for spec in specs if over.intersection(following.get(spec.name, ()))]
        if not able:
            return
        passed = reconcile_specs(engine, able, lock_timeout)
        following |= _work_to_follow(passed, ended)
        yield passed


def _work_to_follow(results: Sequence[PassResult], ended: set[str]) -> dict[str, tuple[StartedWork, ...]]:
    """Return the work to wait for, by forecast. `ended` has the names of work that was waited for already.

    Work that has ended makes one pass, and not one after the other: a pass that could not use it could not do so at once either.
    """
    return {
        result.forecast: tuple(one for one in result.under_way if one.name not in ended)
        if not isinstance(result.error, LockHeld)
        else ()
        for result in results
    }


def _run_passes(
    engine: Engine, specs: Sequence[Spec], outlooks: Sequence[PassOutlook], lock_timeout: float, at_once: int
) -> tuple[PassResult, ...]:
    """Make the passes that have work to do, and return the results of all, in order."""
    results = [outlook.result for outlook in outlooks]
    busy = [index for index, outlook in enumerate(outlooks) if outlook.has_work]
    passes = [partial(run_pass, engine, specs[index], results[index], lock_timeout) for index in busy]
    if min(at_once, len(busy)) > 1:
        done = run_in_processes(passes, at_once, lambda at, code: _lost_process_result(results[busy[at]], code))
    else:
        done = [make_pass() for make_pass in passes]
    for index, result in zip(busy, done, strict=True):
        results[index] = result
    return tuple(results)


def _lost_process_result(result: PassResult, code: int) -> PassResult:
    """Return the result of a pass whose process ended without a result."""
    how = f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
    error = TargetError(
        f"the process that worked on {result.forecast} {how}",
        hint="signal 9 usually means that memory ran out: lower --jobs, or list fewer candidates",
    )
    return replace(result, error=error)


def pass_exit_code(passes: Sequence[PassResult]) -> Exit:
    """Return the exit code of one pass over several forecasts."""
    return worst_exit_code(_result_exit_code(result) for result in passes)


def _result_exit_code(result: PassResult) -> Exit:
    if isinstance(result.error, Superseded):
        return Exit.DONE  # a run with the other image does the work: nobody has to be called
    if result.error:
        return Exit.PARTIAL if result.actions and not isinstance(result.error, LockHeld) else result.error.exit_code
    return Exit.NOT_WELL if result.kept_out else Exit.DONE
