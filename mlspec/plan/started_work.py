"""What is decided about long work that runs outside of mlspec: when it is overdue, and what is said about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import cast

from mlspec.errors import TargetError, WorkUnderWay
from mlspec.plan.moments import moment_after, parse_moment
from mlspec.state.ledger import Ledger, StartedWork, WorkKind
from mlspec.state.pass_steps import steps_of
from mlspec.state.record import Condition


def started_work(under_way: WorkUnderWay, ledger: Ledger, key: str, now: str, step: str = "") -> StartedWork:
    """Return the record of work that runs: the known one, or a new one that began now.

    `key` is the digest of the pass's work, `step` the step of the pass that needs it. It takes over what no pass has started.
    """
    for known in ledger.under_way:
        if known.name == under_way.name:
            return replace(known, key=key, step=known.step or step)
    deadline = moment_after(now, timedelta(seconds=under_way.limit))
    kind = cast("WorkKind", under_way.kind)
    return StartedWork(kind, under_way.name, under_way.mark, under_way.what, now, deadline, key, step)


def with_started(ledger: Ledger, started: StartedWork) -> Ledger:
    """Return the ledger with work that runs, in place of what was known under the same mark."""
    others = (known for known in ledger.under_way if known.mark != started.mark)
    return replace(ledger, under_way=(*others, started))


def without_steps(ledger: Ledger, steps: Collection[str]) -> Ledger:
    """Return the ledger without the work of these steps of a pass: it has ended, or nobody goes on with it."""
    return replace(ledger, under_way=tuple(started for started in ledger.under_way if started.step not in steps))


def after_failed_step(ledger: Ledger, step: str) -> Ledger:
    """Return the ledger after a step of a pass failed: its own work is forgotten, and work of other steps goes on.

    So does a training that runs: it is counted once, and the pass that finds its result goes on with it.
    """
    after = without_steps(ledger, (step,))
    trains = any(started.step in steps_of("model") for started in after.under_way)
    return replace(after, training=ledger.training if trains else "")


def is_overdue(started: StartedWork, now: str) -> bool:
    """Return whether the work should have ended by now."""
    return parse_moment(now) > parse_moment(started.deadline)


def overdue_error(started: StartedWork) -> TargetError:
    """Return the error of work that was cancelled because it did not end in time."""
    return TargetError(
        f"{started.what} was cancelled: it ran as {started.name} since {started.started}, and had to end by {started.deadline}",
        hint="its log says what it waited for; it is started again after a pause",
    )


def waiting_sentence(started: StartedWork) -> str:
    """Return what is waited for, since when, and until when at the latest."""
    return f"waiting for {started.what} since {started.started}, until {started.deadline} at the latest: {started.name}"


def progressing_condition(name: str, ledger: Ledger) -> tuple[Condition, ...]:
    """Return the condition Progressing while long work runs; else none."""
    if not ledger.under_way:
        return ()
    message = "; ".join(map(waiting_sentence, ledger.under_way))
    since = min((started.started for started in ledger.under_way), key=parse_moment)
    return (Condition(name, "Progressing", "True", "WorkUnderWay", message, since),)


def blocks_changes(under_way: Sequence[StartedWork], over: Iterable[StartedWork], key: str, now: str) -> bool:
    """Return whether a pass could change nothing more than the last one did: what that one started still runs, in time.

    `over` is the work that has ended. Another spec or other data have another `key`, and their work does not wait.
    """
    ended = set(over)
    return bool(under_way) and all(
        started not in ended and started.key == key and not is_overdue(started, now) for started in under_way
    )
