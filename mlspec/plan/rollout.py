"""How a new version takes over, step by step, on evidence: pass, fail or inconclusive. What is not known moves nothing.

As in Argo Rollouts (analysis: Successful, Failed, Inconclusive): a failed step gives all traffic back, an inconclusive one waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mlspec.plan.comparison import comparison_note
from mlspec.plan.moments import moment_after
from mlspec.spec.metrics import METRICS
from mlspec.state.ledger import Ledger, RolloutProgress
from mlspec.state.resource import Json

RolloutVerdict = Literal["pass", "fail", "inconclusive"]
ALL = 100
ROLLOUT = "rollout"  # stands for the incident where a rollout gives its traffic back


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the new version this share of traffic, in percent; at 100 the rollout is over."""

    percent: int
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Leave traffic as it is, for want of evidence or of time."""

    why: str


@dataclass(frozen=True, slots=True)
class Abort:
    """Give all traffic back to the version before, if that would have done better, and keep the new one out.

    `alerts` are those that fire on what the new one forecast.
    """

    why: str
    alerts: tuple[str, ...]


def step_shares(rollout: Mapping[str, Json]) -> tuple[int, ...]:
    """Return the new version's share at each step, in percent: a canary's steps, nothing and then all for blue-green."""
    if rollout["strategy"] == "canary":
        return tuple(rollout["steps"])
    return (0, ALL) if rollout["strategy"] == "blue-green" else (ALL,)


def traffic_split(new: str, old: str, percent: int) -> dict[str, int]:
    """Return the traffic of two versions; it sums to 100. The older one stands first: what it keeps stays where it was."""
    return {new: ALL} if percent == ALL else {old: ALL - percent, new: percent}


def judging_alerts(spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the alerts that a new version is judged by: those that would roll it back and that can be measured for it."""
    online = spec["deployment"]["serve"] != "batch"
    metric = {alert["name"]: alert["metric"] for alert in spec["alerts"]}
    return tuple(name for name in spec["rollback"]["on"] if online or METRICS[metric[name]].kind != "serving")


def rollout_verdict(names: Sequence[str], ledger: Ledger, version: str) -> tuple[RolloutVerdict, str]:
    """Return what the named alerts say of one version's own forecasts. Nobody to judge it is a pass: the gate did."""
    own = {name: ledger.own.get(name, {}).get(version) for name in names}
    if firing := alerts_firing_on(names, ledger, version):
        return "fail", f"{', '.join(firing)} fires on what {version} forecast"
    unknown = [name for name, state in own.items() if state != "ok"]
    if unknown:
        return "inconclusive", f"{', '.join(unknown)} has too little data on {version} yet"
    return "pass", f"{', '.join(names)} is within its threshold" if names else "no alert under rollback.on judges it"


def alerts_firing_on(names: Sequence[str], ledger: Ledger, version: str) -> tuple[str, ...]:
    """Return which of the named alerts fire on what one version forecast."""
    return tuple(name for name in names if ledger.own.get(name, {}).get(version) == "firing")


def _server_alerts(names: Sequence[str], spec: Mapping[str, Json]) -> tuple[str, ...]:
    """Return which of the named alerts watch a server: nothing that it did can be weighed."""
    metric = {alert["name"]: alert["metric"] for alert in spec["alerts"]}
    return tuple(name for name in names if METRICS[metric[name]].kind == "serving")


def _servers_first(names: Sequence[str], spec: Mapping[str, Json]) -> tuple[str, ...]:
    first = _server_alerts(names, spec)
    return (*first, *(name for name in names if name not in first))


def next_rollout_step(
    rollout: RolloutProgress, spec: Mapping[str, Json], ledger: Ledger, now: str
) -> Shift | Wait | Abort:
    """Return what follows for a version on its way."""
    policy = spec["deployment"]["rollout"]
    outcome, why = rollout_verdict(judging_alerts(spec), ledger, rollout.version)
    firing = _servers_first(alerts_firing_on(judging_alerts(spec), ledger, rollout.version), spec)
    ruled_out = comparison_note(ROLLOUT, rollout.version, ledger.evaluated) in ledger.acted
    if outcome == "fail" and ruled_out and not _server_alerts(firing, spec):
        return Wait(f"{why}, and {rollout.stable_version} would have done no better on the same periods")
    if outcome == "fail":
        return Abort(why, firing)
    ready = moment_after(rollout.since, policy["interval"])
    if now < ready:
        return Wait(f"the next step is due at {ready}")
    if outcome == "inconclusive":
        return Wait(why)
    steps = step_shares(policy)
    next_index = rollout.step + 1
    return Shift(steps[next_index] if next_index < len(steps) else ALL, why)
