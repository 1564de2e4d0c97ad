"""Shall the version that serves give way, and to which? Evidence about that version, the spec's policy, and what was done before.

A rollback acts once an incident and version, only on the version that the evidence is about, never into a version that turned out
bad or that would have done no better, not within the cooldown of the last one, and at most `max_attempts` times until a promoted
version has proved good again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlspec.plan import serving_metrics
from mlspec.plan.comparison import weighed
from mlspec.plan.moments import later
from mlspec.plan.serving import good_releases, standing
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.record import Release, Version
from mlspec.state.resource import Json

# Metrics that say how a version's own forecasts or answers turned out. The others are of the data: no version is to blame, so an
# alert on them counts for whichever version served when it began.
OF_A_VERSION = ("wape", "mase", "rmsse", "bias", "pinball", "coverage", "error_rate", "latency")


NO_BETTER = "nothing that could take over would have done better on the same periods: demand moved, not the model"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a decision is made from. `releases` newest first; `whole` names the versions whose files are there; `promoted` is when
    the version that serves took over; `fallbacks` are the versions that only fell back."""

    spec: Mapping[str, Json]
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
    """Nothing gives way; `why` is empty where nothing asks for it."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class RollBack:
    """Move all traffic to the first of `targets` that would have done better, for the incident. None stands for the fallback."""

    targets: tuple[Release | None, ...]
    incident: str
    alert: str
    why: str


@dataclass(frozen=True, slots=True)
class Give:
    """Keep serving what serves, hold it there, and ask for a person."""

    incident: str
    alert: str
    why: str


def decide(facts: Facts, now: str) -> Stay | RollBack | Give:
    """Return what follows from the alerts as the ledger has them."""
    ledger, policy = facts.ledger, facts.spec["rollback"]
    asking = [each for each in ledger.alerts if each.name in policy["on"] and each.state == "firing"]
    guilty = [each for each in asking if _about(each, facts)]
    new = [each for each in guilty if acted(each.incident, facts.serves) not in ledger.acted]
    if not new:
        return Stay(_why_not(asking, guilty, facts.serves))
    if standing(ledger, facts.spec_hash):
        return Stay(f"{new[0].name} fires, and the release is held: a person decides")
    new = [each for each in new if weighed(each.incident, facts.serves, ledger.evaluated) not in ledger.acted]
    if not new:
        return Stay(f"{guilty[0].name} fires, and {NO_BETTER}")
    new.sort(
        key=lambda each: _metric(each, facts) not in serving_metrics.METRICS
    )  # a server that fails waits for no weighing
    if ledger.rollout is not None:
        return Stay(f"{new[0].name} fires on {facts.serves}, and {ledger.rollout.version} is on its way to replace it")
    if now < cool_at(ledger, policy):
        return Stay(f"{new[0].name} fires within the cooldown, until {cool_at(ledger, policy)}")
    return _act(facts, new[0])


def cool_at(ledger: Ledger, policy: Mapping[str, Json]) -> str:
    """Return when the cooldown of the last rollback is over; the empty text, which is before every moment, without one."""
    return later(ledger.rollbacks[-1].at, policy["cooldown"]) if ledger.rollbacks else ""


def acted(incident: str, version: str) -> str:
    """Return what is noted of an act: an incident moves a version once, however often it is delivered or read."""
    return f"{incident}:{version}"


def _act(facts: Facts, alert: AlertRecord) -> RollBack | Give:
    policy, ledger = facts.spec["rollback"], facts.ledger
    if len(ledger.rollbacks) >= policy["max_attempts"]:
        many = f"{len(ledger.rollbacks)} rollback{'s' if len(ledger.rollbacks) > 1 else ''} did not help"
        return Give(alert.incident, alert.name, f"{many}, which is rollback.max_attempts")
    targets = _targets(facts)
    if targets:
        return RollBack(targets, alert.incident, alert.name, alert.message)
    return Give(alert.incident, alert.name, "no good version is left, and the fallback itself is what serves")


def _targets(facts: Facts) -> tuple[Release | None, ...]:
    """Return what may take over, in the order in which it is tried; the fallback comes last, unless it is what serves."""
    last: tuple[None, ...] = () if facts.serves in facts.fallbacks else (None,)
    if facts.spec["rollback"]["to"] == "fallback":
        return last
    good = good_releases(facts.releases, facts.versions, facts.serves, facts.ledger, facts.spec)
    good = tuple(each for each in good if each.version in facts.whole - facts.fallbacks)
    if facts.spec["rollback"]["to"] == "last-good":
        return (*good, *last)
    before = _previous(facts)
    return (*(each for each in good if before and each.version == before.version), *last)


def _previous(facts: Facts) -> Release | None:
    """Return the release of another version that stood just before the one that serves."""
    ordered = sorted(facts.releases, key=lambda each: each.release, reverse=True)
    after = [each for place, each in enumerate(ordered) if any(e.version == facts.serves for e in ordered[: place + 1])]
    return next((each for each in after if each.version != facts.serves), None)


def _about(alert: AlertRecord, facts: Facts) -> bool:
    """Return whether an alert is about the version that serves now."""
    if _metric(alert, facts) in OF_A_VERSION:
        return facts.ledger.own.get(alert.name, {}).get(facts.serves) == "firing"
    return (alert.began or alert.since) >= facts.promoted


def _metric(alert: AlertRecord, facts: Facts) -> str:
    return str(next(each["metric"] for each in facts.spec["alerts"] if each["name"] == alert.name))


def _why_not(asking: Sequence[AlertRecord], guilty: Sequence[AlertRecord], serves: str) -> str:
    if guilty:
        return f"{guilty[0].name} still fires, and it was acted on"
    return f"{asking[0].name} fires on an earlier version, not on {serves}" if asking else ""


def proved(names: Sequence[str], ledger: Ledger, version: str) -> bool:
    """Return whether the alerts that would roll it back say that a version is good, each with data of its own."""
    return bool(names) and all(ledger.own.get(name, {}).get(version) == "ok" for name in names)
