"""The end of a pass: records what was handled, and reports once what was seen and not done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mlspec.engine.effects import ForecastWork
from mlspec.engine.pass_plan import DATA_MISSING, PassPlan, recorded_absence
from mlspec.plan.backoff import ended_pass
from mlspec.plan.health import healthy_condition
from mlspec.plan.moments import format_moment
from mlspec.plan.schedule import DueRun
from mlspec.plan.serving import active_hold
from mlspec.state.ledger import StartedWork
from mlspec.state.observed import Settlement
from mlspec.state.record import Condition, Event, ForecastRun, Version


def end_pass(
    work: ForecastWork, pass_plan: PassPlan, left: Sequence[str], under_way: tuple[StartedWork, ...] = ()
) -> None:
    """Record the handled moments of schedules, the end of a failure or hold, and the changes that are `left` to people.

    `under_way` is the long work that still runs: no other is recorded as running after this.
    """
    before = work.observed
    ledger, at = before.ledger, work.engine.clock()
    # While work runs, no run is done with: what follows from a check, say, is not known yet.
    handled: Mapping[str, DueRun] = {} if under_way else pass_plan.handled_schedules
    slots = {**ledger.slots, **{name: format_moment(item.slot) for name, item in handled.items()}}
    after = replace(
        ledger,
        slots=slots,
        failure=ledger.failure if pass_plan.has_failed_work else None,
        spec=work.desired.spec_hash,
        training=ledger.training if under_way else "",
        under_way=under_way,
    )
    if active_hold(after, work.desired.spec_hash) is None:
        after = replace(after, hold=None)
    conditions = changed_conditions(pass_plan, before.conditions, left, at)
    if after.hold != ledger.hold or (ended_pass(ledger.failure) and after.failure is None):
        conditions = (*conditions, healthy_condition(work.name, after, at))
    if after != ledger or conditions:
        events = tuple(_missed_run_events(work, handled, at))
        work.record_settlement(Settlement(work.name, ledger=after, events=events, conditions=conditions))


def _missed_run_events(work: ForecastWork, handled: Mapping[str, DueRun], at: str) -> list[Event]:
    """Return an event for each schedule of which this pass made up for several runs; none if nothing was made since it was due."""
    target = work.engine.target
    newest: dict[str, Callable[[str], Sequence[ForecastRun | Version]]] = {
        "forecast": target.load_runs,
        "retrain": target.load_versions,
    }
    sentence = "{} earlier runs of {} were missed: this one makes up for them"
    return [
        Event(work.name, at, "Normal", "RunsMissed", sentence.format(due.missed, name))
        for name, due in handled.items()
        if due.missed and any(made.created >= format_moment(due.slot) for made in newest[name](work.name)[:1])
    ]


def record_data_presence(work: ForecastWork, pass_plan: PassPlan) -> None:
    """Record once that the source is missing, or that it is there again with the data that was checked last."""
    condition = data_presence(pass_plan, work.engine.clock())
    if condition is None:
        return
    events = [Event(work.name, condition.since, "Warning", condition.reason, condition.message)]
    missing = condition.reason == DATA_MISSING
    work.record_settlement(Settlement(work.name, events=tuple(events if missing else ()), conditions=(condition,)))


def data_presence(pass_plan: PassPlan, at: str) -> Condition | None:
    """Return the condition DataReady if it changes because the source is missing, or is there again unchanged; else None."""
    observed, name = pass_plan.observed, pass_plan.desired.name
    recorded = recorded_absence(observed)
    if pass_plan.missing is not None:
        message = pass_plan.missing.message
        known = recorded is not None and recorded.message == message
        return None if known else Condition(name, "DataReady", "False", DATA_MISSING, message, at)
    if recorded is None or pass_plan.change_of("data").action != "none":
        return None  # a check records the condition anew
    return Condition(name, "DataReady", "True", "ContractHolds", "the data that was checked last is there again", at)


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
    """Return the condition Paused, with the changes left to people, if it changes."""
    before = next((condition for condition in conditions if condition.type == "Paused"), None)
    if not (left or _is_observing(pass_plan) or before):
        return ()
    condition = _paused_condition(pass_plan, left, at)
    same = before is not None and _condition_content(before) == _condition_content(condition)
    return () if same else (condition,)


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
