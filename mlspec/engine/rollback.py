"""What serves gives way where the evidence says so: to an earlier version, to the fallback, or a rollout to the version before it.

The loop's pass comes through here, and so does the answer to an alert (`answering`): there is one decider.
"""

from __future__ import annotations

from dataclasses import replace

from mlspec.engine import counterfactual, traffic
from mlspec.engine.effects import Work, complete
from mlspec.engine.evaluation import evaluate, key
from mlspec.engine.pass_plan import mode
from mlspec.engine.pass_result import Pass
from mlspec.plan import notices, rollback
from mlspec.plan.health import BY_ITSELF
from mlspec.plan.rollout import Abort, Shift, next_step
from mlspec.plan.serving import stable
from mlspec.state.ledger import RolledBack
from mlspec.state.observed import Observed
from mlspec.state.resource import digest

Move = Shift | Abort | rollback.RollBack | rollback.Give


def has_news(work: Work, observed: Observed) -> bool:
    """Return whether there is something to evaluate that was not evaluated."""
    judged = bool(work.wanted.spec["alerts"]) and "data" in observed.seen and "forecast" in observed.seen
    return judged and observed.ledger.evaluated != key(work, observed)


def move_due(work: Work, observed: Observed) -> Move | None:
    """Return how traffic has to move: a rollout's next step or its end, a rollback, or a hold; None where it stays."""
    if "deployment" not in observed.seen:
        return None
    rollout = observed.ledger.rollout
    step = next_step(rollout, work.wanted.spec, observed.ledger, work.engine.clock()) if rollout else None
    if isinstance(step, Shift | Abort):
        return step
    decision = decided(work, observed)
    return None if isinstance(decision, rollback.Stay) else decision


def judge_what_serves(work: Work, found: Pass) -> None:
    """Evaluate where there is news, then let what serves give way or a rollout go on, as the evidence says."""
    judge_again(work, found)
    move(work, found)


def move(work: Work, found: Pass) -> None:
    """Let what serves give way or a rollout go on, as the recorded evidence says."""
    observed = work.engine.target.observe(work.name)
    if mode(work.wanted.spec, "deployment") != "enforce" or "deployment" not in observed.seen:
        return
    _go_on(work, observed, found)
    _give_way(work, found)


def judge_again(work: Work, found: Pass) -> None:
    """Evaluate, where there is something that was not evaluated."""
    if has_news(work, work.engine.target.observe(work.name)):
        work.written = True
        found.heard += evaluate(work).heard


def _go_on(work: Work, observed: Observed, found: Pass) -> None:
    """Take a rollout to its next step, or back."""
    rollout = observed.ledger.rollout
    if rollout is None:
        return
    step = next_step(rollout, work.wanted.spec, observed.ledger, work.engine.clock())
    if isinstance(step, Shift):
        traffic.shift(work, observed, step)
        found.did.append(f"{rollout.version} serves {step.percent} %: {step.why}")
    elif isinstance(step, Abort) and not counterfactual.helps(work, observed, rollout, step):
        counterfactual.wait(work, observed, rollout)
        found.waits.append(f"{rollout.version} stays at its share: {rollout.stable_version} would have done no better")
    elif isinstance(step, Abort):
        traffic.give_back(work, observed, step.why)
        found.did.append(f"{rollout.version} gave its traffic back: {step.why}")
    else:
        found.waits.append(f"{rollout.version} stays at its share: {step.why}")


def decided(work: Work, observed: Observed) -> rollback.Stay | rollback.RollBack | rollback.Give:
    """Return what the alerts ask for, from everything that is recorded."""
    ledger, target, serves = observed.ledger, work.engine.target, stable(observed)
    if serves is None or not any(each.state == "firing" for each in ledger.alerts):
        return rollback.Stay()
    versions = target.versions(work.name)
    falling_back = digest(traffic.falling_back(work).wanted.fields("model"))
    facts = rollback.Facts(
        spec=work.wanted.spec,
        spec_hash=work.wanted.spec_hash,
        ledger=ledger,
        releases=target.releases(work.name),
        versions=versions,
        serves=serves,
        promoted=str(observed.fact("deployment", "since") or ""),
        whole=complete(work, [each for each in versions if each.state == "passed"]),
        fallbacks=frozenset(each.version for each in versions if each.lineage["spec_hash"] == falling_back),
    )
    return rollback.decide(facts, work.engine.clock())


def _give_way(work: Work, found: Pass) -> None:
    """Carry out a rollback, if the alerts ask for one."""
    observed = work.engine.target.observe(work.name)
    decision, at, serves = decided(work, observed), work.engine.clock(), str(stable(observed))
    if isinstance(decision, rollback.Stay):
        if decision.why:
            found.waits.append(decision.why)
        return
    ledger = replace(observed.ledger, acted=(*observed.ledger.acted, rollback.acted(decision.incident, serves)))
    if isinstance(decision, rollback.Give):
        said = f"{decision.alert} fires, and {decision.why}; {serves} keeps serving, and a person is needed"
        traffic.hold(work, observed, BY_ITSELF, said, ledger, (notices.held(work.wanted.spec, serves, said, at),))
        found.did.append(f"held: {said}")
        return
    chosen = counterfactual.first_better(work, observed, serves, decision)
    if chosen is None:
        counterfactual.stay(work, observed, serves, decision)
        return
    release, version = chosen
    ledger = traffic.quarantined(ledger, serves, decision.why, at)
    done = RolledBack(at, serves, version.version, decision.incident)
    ledger = replace(ledger, rollbacks=(*ledger.rollbacks, done), rollout=None)
    what = f"release {release.release}" if release else f"the fallback, {version.candidate}"
    said = f"{serves} gives way to {version.version} ({what}): {decision.why}"
    traffic.roll_back(work, version, ledger, said)
    found.did.append(f"rolled back: {said}")
