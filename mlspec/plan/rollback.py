"""Decides whether to roll back the version that serves, and to which: from evidence on it, the spec's policy, and earlier acts.

There is one rollback for an incident and version, and only of the version that the evidence is about. A rollback never goes to
a version that was found bad, or that would have done no better. It waits for the end of the last rollback's cooldown. After
`max_attempts` rollbacks the loop holds the release, until a promoted version is proved good again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlspec.plan.comparison import comparison_note
from mlspec.plan.moments import moment_after
from mlspec.plan.serving import active_hold, good_releases, served_in_full
from mlspec.spec.forecast import Forecast, Rollback
from mlspec.spec.metrics import Metric, recorded_metric
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.record import Release, Version

NO_BETTER_VERSION = "no other version would have done better on the same periods: the demand changed, not the model"


@dataclass(frozen=True, slots=True)
class RollbackFacts:
    """The facts of a decision. `releases` are newest first; `serves` is the version that serves; `promoted` is when it took over.

    `ledger` says which versions never served everything (`engine.traffic_history`): a rollback goes to none of these.
    `whole` names the versions whose files are intact; `fallbacks` are the versions of the fallback model.
    """

    spec: Forecast
    spec_hash: str
    ledger: Ledger
    releases: Sequence[Release]
    versions: Sequence[Version]
    serves: str
    promoted: str
    whole: frozenset[str]
    fallbacks: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stay:
    """The version that serves stays; `why` is empty if no alert asks for a rollback."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Move all traffic to the first of `targets` that would have done better, because of `incident`. None is the fallback."""

    targets: tuple[Release | None, ...]
    incident: str
    alert: str
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Keep the version that serves, hold its release, and ask for a person."""

    incident: str
    alert: str
    why: str


def decide_rollback(facts: RollbackFacts, now: str) -> Stay | RollBack | GiveUp:
    """Return the decision that follows from the alerts in the ledger."""
    ledger, policy = facts.ledger, facts.spec.rollback
    firing = [alert for alert in ledger.alerts if alert.name in policy.on and alert.state == "firing"]
    blaming = [alert for alert in firing if _is_about_serving(alert, facts)]
    unhandled = [alert for alert in blaming if acted_note(alert.incident, facts.serves) not in ledger.acted]
    if not unhandled:
        return Stay(_why_stay(firing, blaming, facts.serves))
    if active_hold(ledger, facts.spec_hash):
        return Stay(f"{unhandled[0].name} fires, and the release is held until a person decides")
    unhandled = [
        alert
        for alert in unhandled
        if comparison_note(alert.incident, facts.serves, ledger.evaluated) not in ledger.acted
    ]
    if not unhandled:
        return Stay(f"{blaming[0].name} fires, and {NO_BETTER_VERSION}")
    unhandled.sort(
        key=lambda alert: _alert_metric(alert, facts).kind != "serving"
    )  # alerts on a server come first: they need no comparison
    if ledger.rollout is not None:
        return Stay(
            f"{unhandled[0].name} fires on {facts.serves}, and {ledger.rollout.version} is being rolled out to replace it"
        )
    if now < cooldown_end(ledger, policy):
        return Stay(f"{unhandled[0].name} fires within the cooldown, until {cooldown_end(ledger, policy)}")
    return _roll_back_or_give_up(facts, unhandled[0])


def cooldown_end(ledger: Ledger, policy: Rollback) -> str:
    """Return when the cooldown of the last rollback ends. Without a rollback: the empty text, which sorts before every moment."""
    return moment_after(ledger.rollbacks[-1].at, policy.cooldown) if ledger.rollbacks else ""


def acted_note(incident: str, version: str) -> str:
    """Return the note of an act: an incident moves a version once, however often it is delivered or read."""
    return f"{incident}:{version}"


def _roll_back_or_give_up(facts: RollbackFacts, alert: AlertRecord) -> RollBack | GiveUp:
    policy, ledger = facts.spec.rollback, facts.ledger
    if len(ledger.rollbacks) >= policy.max_attempts:
        many = f"{len(ledger.rollbacks)} rollback{'s' if len(ledger.rollbacks) > 1 else ''} did not help"
        return GiveUp(alert.incident, alert.name, f"{many}, which is rollback.max_attempts")
    targets = _rollback_targets(facts)
    if targets:
        return RollBack(targets, alert.incident, alert.name, alert.message)
    return GiveUp(alert.incident, alert.name, "no good version is left, and the fallback itself serves now")


def _rollback_targets(facts: RollbackFacts) -> tuple[Release | None, ...]:
    """Return the rollback targets in the order in which they are tried; the fallback is last, unless it serves now."""
    last: tuple[None, ...] = () if facts.serves in facts.fallbacks else (None,)
    if facts.spec.rollback.to == "fallback":
        return last
    good = good_releases(facts.releases, facts.versions, facts.serves, facts.ledger, facts.spec)
    good = tuple(
        release for release in served_in_full(good, facts.ledger) if release.version in facts.whole - facts.fallbacks
    )
    if facts.spec.rollback.to == "last-good":
        return (*good, *last)
    before = _previous_release(facts)
    return (*(release for release in good if before and release.version == before.version), *last)


def _previous_release(facts: RollbackFacts) -> Release | None:
    """Return the newest release of another version before the one that serves.

    A version that never served everything is passed over.
    """
    full = served_in_full(facts.releases, facts.ledger)
    ordered = sorted(full, key=lambda release: release.release, reverse=True)
    after = [
        release
        for position, release in enumerate(ordered)
        if any(newer.version == facts.serves for newer in ordered[: position + 1])
    ]
    return next((release for release in after if release.version != facts.serves), None)


def _is_about_serving(alert: AlertRecord, facts: RollbackFacts) -> bool:
    """Return whether an alert is about the version that serves now.

    No version is to blame for the data: an alert on that counts for whichever version served when it began.
    """
    if _alert_metric(alert, facts).blames_version:
        return facts.ledger.own.get(alert.name, {}).get(facts.serves) == "firing"
    return (alert.began or alert.since) >= facts.promoted


def _alert_metric(alert: AlertRecord, facts: RollbackFacts) -> Metric:
    return recorded_metric(next(spec_alert.metric for spec_alert in facts.spec.alerts if spec_alert.name == alert.name))


def _why_stay(firing: Sequence[AlertRecord], blaming: Sequence[AlertRecord], serves: str) -> str:
    if blaming:
        return f"{blaming[0].name} still fires, and the loop has acted on it already"
    return f"{firing[0].name} fires on an earlier version, not on {serves}" if firing else ""


def is_proved_good(names: Sequence[str], ledger: Ledger, version: str) -> bool:
    """Return whether every alert in `names` is ok for a version, each by the version's own data."""
    return bool(names) and all(ledger.own.get(name, {}).get(version) == "ok" for name in names)
