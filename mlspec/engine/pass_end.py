"""How a pass ends: what it dealt with is remembered, and what it saw and did not do is said, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlspec.engine.effects import Work
from mlspec.engine.pass_plan import Outlook
from mlspec.plan.health import healthy
from mlspec.plan.moments import text
from mlspec.plan.serving import standing
from mlspec.state.observed import Settlement
from mlspec.state.record import Condition, Event


def close(work: Work, ahead: Outlook, left: Sequence[str]) -> None:
    """Record what was dealt with: the schedules' moments, a failure that is over, a hold that is; and what is `left` to people."""
    before = work.engine.target.observe(work.name)
    ledger, at = before.ledger, work.engine.clock()
    slots = {**ledger.slots, **{name: text(each.slot) for name, each in ahead.handled.items()}}
    after = replace(
        ledger, slots=slots, failure=None if not ahead.blocked else ledger.failure, spec=work.wanted.spec_hash
    )
    if standing(after, work.wanted.spec_hash) is None:
        after = replace(after, hold=None)
    conditions = unsaid(ahead, before.conditions, left, at)
    gone = [each for each in conditions if each.type == "DataReady"]
    events = [*_missed(work, ahead, at), *(Event(work.name, at, "Warning", each.reason, each.message) for each in gone)]
    if after.hold != ledger.hold:
        conditions = (*conditions, healthy(work.name, after, at))
    if after != ledger or conditions:
        work.settle(Settlement(work.name, ledger=after, events=tuple(events), conditions=conditions))


def _missed(work: Work, ahead: Outlook, at: str) -> list[Event]:
    """Return an event for each schedule of which this pass made up for several runs; where nothing was made, none was missed."""
    made = {"forecast": work.run, "retrain": work.version}
    said = "{} earlier runs of {} were missed: this one makes up for them"
    return [
        Event(ahead.wanted.name, at, "Normal", "RunsMissed", said.format(each.missed, name))
        for name, each in ahead.handled.items()
        if each.missed and made[name]
    ]


def waiting(ahead: Outlook) -> list[str]:
    """Return what is not done although it is asked for, and why."""
    found = [f"training waits: {ahead.refused}"] if ahead.refused else []
    failure = ahead.observed.ledger.failure
    if ahead.blocked and failure:
        when = f"is tried again at {failure.next_at}" if failure.next_at else "waits until spec, data or code change"
        found.append(f"what failed {when}: {failure.reason}")
    return found


def unsaid(ahead: Outlook, conditions: Sequence[Condition], left: Sequence[str], at: str) -> tuple[Condition, ...]:
    """Return the conditions that are to be others than they are: what the loop leaves to people, and a source that is gone."""
    before = {each.type: each for each in conditions}
    wanted = [_paused(ahead, left, at)] if left or _observes(ahead) or "Paused" in before else []
    if ahead.missing is not None:
        wanted.append(Condition(ahead.wanted.name, "DataReady", "False", "DataMissing", ahead.missing.message, at))
    return tuple(each for each in wanted if each.type not in before or _said(before[each.type]) != _said(each))


def _paused(ahead: Outlook, left: Sequence[str], at: str) -> Condition:
    name = ahead.wanted.name
    if left:
        return Condition(name, "Paused", "True", "Observing", f"observed, and left as it is: {'; '.join(left)}", at)
    if _observes(ahead):
        return Condition(name, "Paused", "True", "Observing", "observed: nothing differs from what shall be", at)
    return Condition(name, "Paused", "False", "Enforcing", "the loop acts on what it sees", at)


def _observes(ahead: Outlook) -> bool:
    return bool(ahead.wanted.spec["reconcile"]["mode"] == "observe")


def _said(condition: Condition) -> tuple[str, str, str]:
    return condition.status, condition.reason, condition.message
