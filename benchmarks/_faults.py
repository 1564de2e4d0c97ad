"""When which fault strikes which forecast, and whether the loop found it in time: from a record of what each week brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mlspec.spec.agreement import parse_agreement
from mlspec.spec.metrics import METRICS
from mlspec.state.observed import Observed
from mlspec.state.record import Event
from mlspec.state.resource import Json

Kind = Literal["bad-model", "drift", "late-actuals", "outage"]
KINDS: tuple[Kind, ...] = ("bad-model", "drift", "late-actuals", "outage")
LONG = {"late-actuals": (3, 6), "outage": (2, 4)}  # weeks: at least, and fewer than
EARLY, LATE = (8, 40), (60, 88)  # weeks in which a forecast's two faults strike; each is over before the other
MOVED = ("RolledBack", "RolloutAborted")
SETTLES = (
    12  # weeks after a shift of demand: until then giving way is no false move, and from then on accuracy is well again
)


@dataclass(frozen=True)
class Fault:
    """One fault: the week it begins in, counted from the start of the simulation, and how long what it takes away is gone."""

    kind: Kind
    week: int
    length: int = 0


@dataclass(frozen=True)
class Week:
    """What one forecast's week brought: each alert's state, the versions with traffic, those in quarantine, the new events."""

    alerts: Mapping[str, str]
    serving: frozenset[str]
    quarantined: frozenset[str]
    events: Sequence[tuple[str, str | None]]

    @classmethod
    def of(cls, observed: Observed, new: Sequence[Event]) -> Week:
        """Return the week that ends with this state and brought these events, the newest first.

        An alert that fired in the week counts as firing. One that moved traffic may be over in the next pass, where what the bad
        version served counts no more.
        """
        fired = {event.message.partition(":")[0] for event in new if event.reason == "AlertFiring"}
        return cls(
            {each.name: "firing" if each.name in fired else each.state for each in observed.ledger.alerts},
            frozenset(observed.find_fact("deployment", "traffic") or ()),
            observed.ledger.quarantined_versions,
            [(event.reason, event.version) for event in reversed(new)],
        )

    def happened(self, *reasons: str) -> bool:
        """Return whether there was such an event."""
        return any(reason in reasons for reason, _version in self.events)


@dataclass(frozen=True)
class Outcome:
    """How a fault turned out: mature periods that it had touched when `by` found it (None: in no time), and what followed."""

    kind: Kind
    by: str
    took: int | None
    bar: int
    acted: bool

    @property
    def well(self) -> bool:
        """Whether it was found in time, and what had to follow did."""
        return self.took is not None and self.took <= self.bar and self.acted


def calendar(rng: np.random.Generator, forecasts: int) -> list[list[Fault]]:
    """Return two faults for each forecast, at weeks of chance; each kind as often as the others."""
    kinds = [KINDS[place % len(KINDS)] for place in rng.permutation(2 * forecasts)]
    return [
        [_fault(rng, kind, span) for kind, span in zip(kinds[2 * place :][:2], (EARLY, LATE), strict=True)]
        for place in range(forecasts)
    ]


def _fault(rng: np.random.Generator, kind: Kind, span: tuple[int, int]) -> Fault:
    length = int(rng.integers(*LONG[kind])) if kind in LONG else 0
    return Fault(kind, int(rng.integers(*span)), length)


def bars(alerts: Sequence[Mapping[str, Json]]) -> dict[str, int]:
    """Return within how many mature periods each alert has to fire: until m whole windows hold only periods that are touched."""
    found = {}
    for alert in alerts:
        usual = METRICS[alert["metric"]].usual_window
        found[alert["name"]] = (alert["window"] or usual) + parse_agreement(alert["for"]).agree - 1
    return found


def outcome(fault: Fault, weeks: Sequence[Week], limits: Mapping[str, int], bad: str | None) -> Outcome:
    """Return how a fault turned out. `bad` is the version that forecast badly, where that is the fault."""
    if fault.kind == "outage":
        return _outage(fault, weeks)
    if fault.kind == "late-actuals":
        back = weeks[fault.week + fault.length].alerts
        return _by_alert(fault, weeks, {"stale": limits["stale"]}, acted=back["stale"] in ("resolved", "ok"))
    if fault.kind == "drift":
        quality = {name: bar for name, bar in limits.items() if name != "stale"}
        since = weeks[fault.week : fault.week + quality["drift"]]
        return _by_alert(
            fault, weeks, quality, acted=any(week.happened("GatePassed", "GateClosed", *MOVED) for week in since)
        )
    struck = any(bad in week.serving for week in weeks)
    gone = not any(bad in week.serving for week in weeks[fault.week + limits["accuracy"] :])
    # Accuracy on what it forecast itself puts a version in quarantine; on its way in, that may be too little to be seen in all.
    own = [
        replace(each, alerts={**each.alerts, "accuracy": "firing"}) if bad in each.quarantined else each
        for each in weeks
    ]
    return _by_alert(fault, own, {"accuracy": limits["accuracy"]}, acted=struck and gone)


def _outage(fault: Fault, weeks: Sequence[Week]) -> Outcome:
    gone = range(fault.week, fault.week + fault.length)
    took = next((at - fault.week + 1 for at in gone if weeks[at].happened("DataMissing")), None)
    return Outcome(fault.kind, "DataMissing", took, 1, weeks[fault.week + fault.length].happened("DataChecked"))


def _by_alert(fault: Fault, weeks: Sequence[Week], limits: Mapping[str, int], *, acted: bool) -> Outcome:
    """Return the outcome by the alert that fired first within its bar. One that fired before the fault has not found it."""
    # A bad version is made in the fault's week, and the first period that it forecast is mature a week later.
    first = fault.week + (fault.kind == "bad-model")
    found = []
    for name, bar in limits.items():
        calm = weeks[first - 1].alerts.get(name) != "firing"
        fired = (at - first + 1 for at in range(first, len(weeks)) if weeks[at].alerts.get(name) == "firing")
        took = next(fired, None) if calm else None
        found.append((took is None or took > bar, took if took is not None else len(weeks), name, bar, took))
    _late, _order, by, bar, took = min(found)
    return Outcome(fault.kind, by, took, bar, acted)


def settled(fault: Fault, weeks: Sequence[Week]) -> bool:
    """Return whether accuracy was well again in the twelfth week after demand shifted."""
    return weeks[fault.week + SETTLES].alerts["accuracy"] in ("ok", "resolved")


def false_moves(faults: Sequence[Fault], weeks: Sequence[Week], bad: Set[str]) -> list[int]:
    """Return the weeks in which traffic moved back for no reason."""
    shifted = {fault.week + after for fault in faults if fault.kind == "drift" for after in range(SETTLES)}
    return [
        at
        for at, week in enumerate(weeks)
        for reason, version in week.events
        if reason in MOVED and version not in bad and at not in shifted
    ]
