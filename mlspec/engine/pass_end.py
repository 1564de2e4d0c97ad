"""The end of a pass: records what was handled, and reports once what was seen and not done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlspec.engine.effects import ForecastWork
from mlspec.engine.pass_plan import PassPlan
from mlspec.plan.health import healthy_condition
from mlspec.plan.moments import format_moment
from mlspec.plan.serving import active_hold
from mlspec.state.observed import Settlement
from mlspec.state.record import Condition, Event


def end_pass(work: ForecastWork, pass_plan: PassPlan, left: Sequence[str]) -> None:
    """Record the handled moments of schedules, the end of a failure or hold, and the changes that are `left` to people."""
    before = work.observed
    ledger, at = before.ledger, work.engine.clock()
    slots = {**ledger.slots, **{name: format_moment(item.slot) for name, item in pass_plan.handled_schedules.items()}}
    after = replace(
        ledger, slots=slots, failure=None if not pass_plan.blocked else ledger.failure, spec=work.desired.spec_hash
    )
    if active_hold(after, work.desired.spec_hash) is None:
        after = replace(after, hold=None)
    conditions = changed_conditions(pass_plan, before.conditions, left, at)
    missing_data = [item for item in conditions if item.type == "DataReady"]
    events = [
        *_missed_run_events(work, pass_plan, at),
        *(Event(work.name, at, "Warning", item.reason, item.message) for item in missing_data),
    ]
    if after.hold != ledger.hold:
        conditions = (*conditions, healthy_condition(work.name, after, at))
    if after != ledger or conditions:
        work.record_settlement(Settlement(work.name, ledger=after, events=tuple(events), conditions=conditions))


def _missed_run_events(work: ForecastWork, pass_plan: PassPlan, at: str) -> list[Event]:
    """Return an event for each schedule of which this pass made up for several runs; none if nothing was made."""
    made_by_schedule = {"forecast": work.run, "retrain": work.version}
    sentence = "{} earlier runs of {} were missed: this one makes up for them"
    return [
        Event(pass_plan.desired.name, at, "Normal", "RunsMissed", sentence.format(due.missed, name))
        for name, due in pass_plan.handled_schedules.items()
        if due.missed and made_by_schedule[name]
    ]


def waiting_reasons(pass_plan: PassPlan) -> list[str]:
    """Return what is desired but not done, and why."""
    reasons = [f"training waits: {pass_plan.refused}"] if pass_plan.refused else []
    failure = pass_plan.observed.ledger.failure
    if pass_plan.blocked and failure:
        when = f"is tried again at {failure.next_at}" if failure.next_at else "waits until spec, data or code change"
        reasons.append(f"failed work {when}: {failure.reason}")
    return reasons


def changed_conditions(
    pass_plan: PassPlan, conditions: Sequence[Condition], left: Sequence[str], at: str
) -> tuple[Condition, ...]:
    """Return the conditions that change: Paused (with the changes left to people), and DataReady if the source is missing."""
    before = {condition.type: condition for condition in conditions}
    new_conditions = (
        [_paused_condition(pass_plan, left, at)] if left or _is_observing(pass_plan) or "Paused" in before else []
    )
    if pass_plan.missing is not None:
        new_conditions.append(
            Condition(pass_plan.desired.name, "DataReady", "False", "DataMissing", pass_plan.missing.message, at)
        )
    return tuple(
        condition
        for condition in new_conditions
        if condition.type not in before or _condition_content(before[condition.type]) != _condition_content(condition)
    )


def _paused_condition(pass_plan: PassPlan, left: Sequence[str], at: str) -> Condition:
    name = pass_plan.desired.name
    if left:
        return Condition(name, "Paused", "True", "Observing", f"observed and not changed: {'; '.join(left)}", at)
    if _is_observing(pass_plan):
        return Condition(name, "Paused", "True", "Observing", "observed: everything is up to date", at)
    return Condition(name, "Paused", "False", "Enforcing", "the loop makes changes", at)


def _is_observing(pass_plan: PassPlan) -> bool:
    return pass_plan.desired.spec.reconcile.mode == "observe"


def _condition_content(condition: Condition) -> tuple[str, str, str]:
    return condition.status, condition.reason, condition.message
