"""Moves traffic on evidence: a rollback to an earlier version or to the fallback, or the next step or the end of a rollout.

The loop's pass and `engine.alert_handler` both use this module, so they make the same decisions.
"""

from __future__ import annotations

from dataclasses import replace

from mlspec.engine import counterfactual, traffic
from mlspec.engine.actuals import has_actuals_to_publish
from mlspec.engine.effects import ForecastWork, intact_versions
from mlspec.engine.evaluation import evaluate_forecasts, evaluation_key
from mlspec.engine.pass_plan import resource_mode
from mlspec.engine.pass_result import PassResult
from mlspec.engine.traffic_history import complete_ledger
from mlspec.plan import notices, rollback
from mlspec.plan.health import BY_ITSELF
from mlspec.plan.rollout import Abort, Shift, next_rollout_step
from mlspec.plan.serving import stable_version
from mlspec.state.ledger import RolledBack
from mlspec.state.observed import Observed

TrafficMove = Shift | Abort | rollback.RollBack | rollback.GiveUp


def has_news(work: ForecastWork, observed: Observed) -> bool:
    """Return whether there is new evidence that was not evaluated: for alerts, or for the table of actual values."""
    if "data" not in observed.resources or "forecast" not in observed.resources:
        return False
    # Alerts of the record that the spec has no more have to end, so they count too.
    has_alerts = bool(work.desired.spec.alerts or observed.ledger.alerts)
    is_read = has_alerts or has_actuals_to_publish(work, observed)
    return is_read and observed.ledger.evaluated != evaluation_key(work, observed)


def move_due(work: ForecastWork, observed: Observed) -> TrafficMove | None:
    """Return the due move: a rollout's next step or its end, a rollback, or a hold; None if traffic stays."""
    if "deployment" not in observed.resources:
        return None
    rollout = observed.ledger.rollout
    step = next_rollout_step(rollout, work.desired.spec, observed.ledger, work.engine.clock()) if rollout else None
    if isinstance(step, Shift | Abort):
        return step
    decision = rollback_decision(work, observed)
    return None if isinstance(decision, rollback.Stay) else decision


def move_traffic(work: ForecastWork, result: PassResult) -> None:
    """Carry out a rollout's next step or end, or a rollback, if the recorded evidence says so."""
    observed = work.observed
    if resource_mode(work.desired.spec, "deployment") != "enforce" or "deployment" not in observed.resources:
        return
    _advance_rollout(work, observed, result)
    _carry_out_rollback(work, result)


def evaluate_if_new(work: ForecastWork) -> tuple[str, ...]:
    """Evaluate if there is new evidence; return a sentence for each alert that changed."""
    if not has_news(work, work.observed):
        return ()
    work.written = True
    return evaluate_forecasts(work).alert_changes


def _advance_rollout(work: ForecastWork, observed: Observed, result: PassResult) -> None:
    """Take a rollout to its next step, or abort it."""
    rollout = observed.ledger.rollout
    if rollout is None:
        return
    step = next_rollout_step(rollout, work.desired.spec, observed.ledger, work.engine.clock())
    if isinstance(step, Shift):
        traffic.advance_rollout(work, observed, step)
        result.actions.append(f"{rollout.version} serves {step.percent} %: {step.why}")
    elif isinstance(step, Abort) and not counterfactual.would_abort_help(work, observed, rollout, step):
        counterfactual.record_rollout_unchanged(work, observed, rollout)
        result.waits.append(f"{rollout.version} keeps its share: {rollout.stable_version} would have done no better")
    elif isinstance(step, Abort):
        traffic.abort_rollout(work, observed, step.why)
        result.actions.append(f"the rollout of {rollout.version} was aborted: {step.why}")
    else:
        result.waits.append(f"{rollout.version} keeps its share: {step.why}")


def rollback_decision(work: ForecastWork, observed: Observed) -> rollback.Stay | rollback.RollBack | rollback.GiveUp:
    """Return the decision on a rollback, from everything that is recorded."""
    ledger, target, serves = observed.ledger, work.engine.target, stable_version(observed)
    if serves is None or not any(record.state == "firing" for record in ledger.alerts):
        return rollback.Stay()
    versions = target.load_versions(work.name)
    facts = rollback.RollbackFacts(
        spec=work.desired.spec,
        spec_hash=work.desired.spec_hash,
        ledger=complete_ledger(target, work.name, ledger),
        releases=target.load_releases(work.name),
        versions=versions,
        serves=serves,
        promoted=str(observed.find_fact("deployment", "since") or ""),
        whole=intact_versions(work, [record for record in versions if record.state == "passed"]),
        fallbacks=traffic.fallback_versions(work, versions),
    )
    return rollback.decide_rollback(facts, work.engine.clock())


def _carry_out_rollback(work: ForecastWork, result: PassResult) -> None:
    """Carry out a rollback, if the alerts ask for one."""
    observed = work.observed
    decision, serves = rollback_decision(work, observed), str(stable_version(observed))
    if isinstance(decision, rollback.Stay):
        if decision.why:
            result.waits.append(decision.why)
        return
    ledger = replace(observed.ledger, acted=(*observed.ledger.acted, rollback.acted_note(decision.incident, serves)))
    if isinstance(decision, rollback.GiveUp):
        sentence = f"{decision.alert} fires, and {decision.why}; {serves} keeps serving, and a person is needed"
        traffic.hold_release(
            work,
            observed,
            by=BY_ITSELF,
            reason=sentence,
            ledger=ledger,
            notices=(notices.hold_notice(work.desired.spec, serves, sentence, work.engine.clock()),),
        )
        result.actions.append(f"held: {sentence}")
        return
    chosen = counterfactual.find_better_target(work, observed, serves, decision)
    if chosen is None:
        counterfactual.record_version_unchanged(work, observed, serves, decision)
        return
    (release, version), at = chosen, work.engine.clock()  # the comparison takes as long as forecasts do
    ledger = traffic.quarantine_version(ledger, serves, decision.why, at)
    done = RolledBack(at, serves, version.version, decision.incident)
    ledger = replace(ledger, rollbacks=(*ledger.rollbacks, done), rollout=None)
    replacement = f"release {release.release}" if release else f"the fallback, {version.candidate}"
    sentence = f"{serves} was replaced by {version.version} ({replacement}): {decision.why}"
    traffic.roll_back(work, version, ledger, sentence)
    result.actions.append(f"rolled back: {sentence}")
