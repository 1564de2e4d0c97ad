"""Decides the next step of a rollout, on evidence: pass, fail or inconclusive. Without evidence no traffic moves.

As in Argo Rollouts (analysis: Successful, Failed, Inconclusive): after a failed step all traffic returns to the stable version,
an inconclusive step waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mlspec.plan.comparison import comparison_note
from mlspec.plan.moments import moment_after
from mlspec.spec.forecast import Forecast, Rollout
from mlspec.spec.metrics import metric_kind
from mlspec.state.ledger import Ledger, RolloutProgress

RolloutVerdict = Literal["pass", "fail", "inconclusive"]
ALL = 100
ROLLOUT = "rollout"  # the incident that is recorded when a rollout is aborted


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the new version this share of traffic, in percent; 100 ends the rollout."""

    percent: int
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave traffic as it is, for want of evidence or of time."""

    why: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Return all traffic to the stable version, if it would have done better, and quarantine the new one.

    `alerts` are those that fire on the new version's forecasts.
    """

    why: str
    alerts: tuple[str, ...]


def step_shares(rollout: Rollout) -> tuple[int, ...]:
    """Return the new version's share at each step, in percent: the canary's steps; 0 and then 100 for blue-green; else 100."""
    if rollout.strategy == "canary":
        return rollout.steps
    return (0, ALL) if rollout.strategy == "blue-green" else (ALL,)


def traffic_split(new: str, old: str, percent: int) -> dict[str, int]:
    """Return the traffic split of two versions; it sums to 100. The older version comes first."""
    return {new: ALL} if percent == ALL else {old: ALL - percent, new: percent}


def judging_alerts(spec: Forecast) -> tuple[str, ...]:
    """Return the alerts that judge a new version: those under rollback.on that can be measured for it."""
    online = spec.deployment.serve != "batch"
    metric = {alert.name: alert.metric for alert in spec.alerts}
    return tuple(name for name in spec.rollback.on if online or metric_kind(metric[name]) != "serving")


def rollout_verdict(names: Sequence[str], ledger: Ledger, version: str) -> tuple[RolloutVerdict, str]:
    """Return the verdict of the named alerts on one version's own forecasts. Without alerts it passes: it passed the gate."""
    own = {name: ledger.own.get(name, {}).get(version) for name in names}
    if firing := alerts_firing_on(names, ledger, version):
        return "fail", f"{', '.join(firing)} {'fires' if len(firing) == 1 else 'fire'} on what {version} forecast"
    unknown = [name for name, state in own.items() if state != "ok"]
    if unknown:
        return (
            "inconclusive",
            f"{', '.join(unknown)} {'has' if len(unknown) == 1 else 'have'} too little data on {version} yet",
        )
    return "pass", _pass_reason(names)


def _pass_reason(names: Sequence[str]) -> str:
    if not names:
        return "no alert under rollback.on judges it"
    return f"{', '.join(names)} {'is within its threshold' if len(names) == 1 else 'are within their thresholds'}"


def alerts_firing_on(names: Sequence[str], ledger: Ledger, version: str) -> tuple[str, ...]:
    """Return which of the named alerts fire on one version's forecasts."""
    return tuple(name for name in names if ledger.own.get(name, {}).get(version) == "firing")


def _server_alerts(names: Sequence[str], spec: Forecast) -> tuple[str, ...]:
    """Return which of the named alerts are on a server's requests: these cannot be repeated for a comparison."""
    metric = {alert.name: alert.metric for alert in spec.alerts}
    return tuple(name for name in names if metric_kind(metric[name]) == "serving")


def _servers_first(names: Sequence[str], spec: Forecast) -> tuple[str, ...]:
    first = _server_alerts(names, spec)
    return (*first, *(name for name in names if name not in first))


def next_rollout_step(rollout: RolloutProgress, spec: Forecast, ledger: Ledger, now: str) -> Shift | Wait | Abort:
    """Return what to do next with a version in rollout."""
    policy = spec.deployment.rollout
    outcome, why = rollout_verdict(judging_alerts(spec), ledger, rollout.version)
    firing = _servers_first(alerts_firing_on(judging_alerts(spec), ledger, rollout.version), spec)
    ruled_out = comparison_note(ROLLOUT, rollout.version, ledger.evaluated) in ledger.acted
    if outcome == "fail" and ruled_out and not _server_alerts(firing, spec):
        return Wait(f"{why}, and {rollout.stable_version} would have done no better on the same periods")
    if outcome == "fail":
        return Abort(why, firing)
    ready = moment_after(rollout.since, policy.interval)
    if now < ready:
        return Wait(f"the next step is due at {ready}")
    if outcome == "inconclusive":
        return Wait(why)
    steps = step_shares(policy)
    next_index = rollout.step + 1
    return Shift(steps[next_index] if next_index < len(steps) else ALL, why)
