"""What the loop remembers of one forecast, so that a restart changes no decision: alerts, rollout, rollbacks, hold, quarantine.

The ledger moves; what it says of the past stands in events too. It is settled in the transaction of the effect that it is about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mlspec.state.resource import Json

AlertState = Literal["ok", "pending", "firing", "no-data", "silenced", "inhibited", "resolved"]


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One alert as it stands. `since` moves with `state`; `incident` names one stretch of trouble, and is empty without one.

    `began` is when the incident began, however its state has moved since. `value` is the worst segment's newest value, `told` says
    that people were told of the incident, or that the alert's data is gone.
    """

    name: str
    state: AlertState
    since: str
    value: float | None = None
    message: str = ""
    incident: str = ""
    began: str = ""
    told: bool = False

    @property
    def message_without_name(self) -> str:
        """The message without the alert's name, where that was said already."""
        return self.message.removeprefix(f"{self.name}: ")


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """A version on its way to all traffic: `step` counts from 0, `since` is when that step began."""

    version: str
    release: int
    stable_version: str
    stable_release: int
    step: int
    started: str
    since: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A release that is held: nothing newer is promoted until a person resumes, or the spec changes from `spec_hash`."""

    release: int
    version: str
    by: str
    reason: str
    at: str
    spec_hash: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A version that turned out bad. It is named by its lineage, so a change of spec, data or code makes another one."""

    version: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """One rollback by the loop: which version gave way to which, when, and the incident that asked for it."""

    at: str
    version: str
    to: str
    incident: str


@dataclass(frozen=True, slots=True)
class Silence:
    """An alert that a person muted: nobody is told and nothing acts until `until`."""

    alert: str
    until: str
    by: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Work that failed: `key` is the digest of its inputs. Tried again at `next_at`, or, when None, once the inputs change."""

    key: str
    count: int
    at: str
    next_at: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that the loop remembers of one forecast. Times are RFC 3339 in UTC.

    `slots` are the newest moments of each schedule that were dealt with; `trainings` when the loop started each by itself;
    `rollbacks` those since a promoted version last proved good; `acted` the incidents, with their versions, that were acted on;
    `evaluated` is the digest of what was evaluated last; `metrics`, `by_horizon` and `own` are what came of it: over all that
    served, by how many periods ahead it was made, and per alert and version; `made_with` are the code and the libraries that
    measured it. `spec` is the digest of the spec that was looked at last.
    """

    alerts: tuple[AlertRecord, ...] = ()
    rollout: RolloutProgress | None = None
    hold: Hold | None = None
    quarantined: tuple[Quarantine, ...] = ()
    rollbacks: tuple[RolledBack, ...] = ()
    acted: tuple[str, ...] = ()
    silences: tuple[Silence, ...] = ()
    failure: Failure | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    trainings: tuple[str, ...] = ()
    evaluated: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    by_horizon: tuple[Mapping[str, Json], ...] = ()
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    made_with: Mapping[str, Json] = field(default_factory=dict)
    spec: str = ""

    @property
    def quarantined_versions(self) -> frozenset[str]:
        """Names of the versions in quarantine."""
        return frozenset(quarantine.version for quarantine in self.quarantined)

    def find_alert(self, name: str) -> AlertRecord | None:
        """Return one alert's record, if it was ever judged."""
        return next((record for record in self.alerts if record.name == name), None)


_MANY = {
    "alerts": AlertRecord, "quarantined": Quarantine, "rollbacks": RolledBack, "silences": Silence,
}  # fmt: skip
_ONE = {"rollout": RolloutProgress, "hold": Hold, "failure": Failure}
_LISTS = ("acted", "trainings", "by_horizon")
_TIMES = ("at", "since", "until", "next_at", "started", "began")


def ledger_of(value: Mapping[str, Json]) -> Ledger:
    """Return the ledger whose `asdict` is `value`. A key that is not there has its default.

    Raises ValueError or TypeError for what no ledger is: it is better to stop than to decide on a moment that is none.
    """
    values: dict[str, Json] = {**value}
    for name, entry_type in _MANY.items():
        values[name] = tuple(entry_type(**entry) for entry in values.get(name, ()))
    for name, record_type in _ONE.items():
        values[name] = record_type(**values[name]) if values.get(name) else None
    for name in _LISTS:
        values[name] = tuple(values.get(name, ()))
    for at in _decision_moments(values):
        if datetime.fromisoformat(at).tzinfo is None:
            raise ValueError(f"'{at}' has no time zone")
    return Ledger(**values)


def _decision_moments(values: Mapping[str, Json]) -> Iterator[str]:
    """Every moment that decisions are made from."""
    yield from values["trainings"]
    yield from values.get("slots", {}).values()
    for record in (
        *(entry for name in _MANY for entry in values[name]),
        *(values[name] for name in _ONE if values[name]),
    ):
        yield from (value for name in _TIMES if (value := getattr(record, name, None)))
