"""What the loop remembers of one forecast, so that a restart changes no decision: alerts, rollout, rollbacks, hold, quarantine.

The ledger is replaced at each change; the history is kept in events. It is recorded in the same transaction as the effect that
changes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mlspec.state.moment import require_moment
from mlspec.state.resource import Json
from mlspec.state.typed import Shape, require_shape

AlertState = Literal["ok", "pending", "firing", "no-data", "silenced", "inhibited", "resolved"]


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """The present state of one alert. `since` is when `state` last changed.

    `incident` is the id of the present incident, and empty without one. `began` is when the incident began, whatever states
    followed. `value` is the worst segment's newest value. `told` is True once a notice was sent of the incident, or of the
    alert's lost data. `loss_told` is True while data are lost and a notice was sent of that. `discarded` is True
    once a notice of the incident was discarded, by a person or with its receiver, and so did not reach every receiver.
    """

    name: str
    state: AlertState
    since: str
    value: float | None = None
    message: str = ""
    incident: str = ""
    began: str = ""
    told: bool = False
    loss_told: bool = False
    discarded: bool = False

    @property
    def message_without_name(self) -> str:
        """The message without the alert's name, for a line that names the alert already."""
        return self.message.removeprefix(f"{self.name}: ")


@dataclass(frozen=True, slots=True)
class RolloutProgress:
    """A version in rollout: `step` counts from 0, `since` is when that step began."""

    version: str
    release: int
    stable_version: str
    stable_release: int
    step: int
    started: str
    since: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A release that is held: nothing newer is promoted until `mlspec resume`, or until the spec differs from `spec_hash`."""

    release: int
    version: str
    by: str
    reason: str
    at: str
    spec_hash: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A version that was found bad. Its name is a digest of its lineage: a change of spec, data or code gives another one."""

    version: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """One rollback by the loop: `version` was replaced by `to` at `at`, because of `incident`."""

    at: str
    version: str
    to: str
    incident: str


@dataclass(frozen=True, slots=True)
class Silence:
    """An alert that a person muted: until `until` no notice is sent and the loop does not act on it."""

    alert: str
    until: str
    by: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Work that failed: `key` is the digest of its inputs. It is retried at `next_at`, or, if None, once the inputs change."""

    key: str
    count: int
    at: str
    next_at: str | None
    reason: str


WorkKind = Literal["execution", "custom-job", "batch-prediction", "deployment", "upload"]


@dataclass(frozen=True, slots=True)
class StartedWork:
    """Long work that was started outside of mlspec and not seen to end. A later pass asks whether it is over, and goes on.

    `name` is its resource at the service. `mark` is what finds it there if the name was lost: it is known before the start. `what`
    says to a person what it does. After `deadline` it is cancelled. `key` is the digest of the work of the pass that started it,
    and `step` the step of that pass; empty if no pass did.
    """

    kind: WorkKind
    name: str
    mark: str
    what: str
    started: str
    deadline: str
    key: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that the loop remembers of one forecast. Times are RFC 3339 in UTC.

    `slots` is the newest handled moment of each schedule. `trainings` are the times when the loop started a training by itself.
    `rollbacks` are those since a promoted version was last proved good. `acted` holds the incidents, with their versions, that
    the loop acted on. `evaluated` is the digest of the inputs of the last evaluation. Its results are `metrics` (over
    everything that served), `by_horizon` (by the number of periods ahead) and `own` (states by alert and version); `made_with`
    is the code and the libraries that computed them. `spec` is the digest of the spec of the last pass. `under_way` is the long
    work that runs outside of mlspec. `served_in_part` are the versions that had a rollout and never served everything; None in a
    ledger of a mlspec that did not record it.
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
    training: str = ""
    under_way: tuple[StartedWork, ...] = ()
    served_in_part: tuple[str, ...] | None = None

    @property
    def quarantined_versions(self) -> frozenset[str]:
        """Names of the versions in quarantine."""
        return frozenset(quarantine.version for quarantine in self.quarantined)

    def find_alert(self, name: str) -> AlertRecord | None:
        """Return one alert's record; None if it was never judged."""
        return next((record for record in self.alerts if record.name == name), None)


_MANY = {
    "alerts": AlertRecord, "quarantined": Quarantine, "rollbacks": RolledBack, "silences": Silence, "under_way": StartedWork,
}  # fmt: skip
_ONE = {"rollout": RolloutProgress, "hold": Hold, "failure": Failure}
_LISTS = ("acted", "trainings", "by_horizon")
_BY_HORIZON: Shape = {"step": int, "metrics": Mapping[str, float | None]}
_TIMES = ("at", "since", "until", "next_at", "started", "began", "deadline")


def ledger_of(value: Mapping[str, Json]) -> Ledger:
    """Return the ledger whose `asdict` is `value`. A missing key has its default.

    Raises ValueError or TypeError if `value` is not a ledger: a decision must not be made from an invalid time.
    """
    values: dict[str, Json] = {**value}
    for name, entry_type in _MANY.items():
        values[name] = tuple(entry_type(**entry) for entry in values.get(name, ()))
    for name, record_type in _ONE.items():
        values[name] = record_type(**values[name]) if values.get(name) else None
    for name in _LISTS:
        values[name] = tuple(values.get(name, ()))
    if values.get("served_in_part") is not None:
        values["served_in_part"] = tuple(values["served_in_part"])
    for at in _decision_moments(values):
        require_moment(at)
    for step in values["by_horizon"]:
        require_shape({"step": step["step"], "metrics": step["metrics"]}, _BY_HORIZON, "by_horizon")
    return Ledger(**values)


def _decision_moments(values: Mapping[str, Json]) -> Iterator[str]:
    """Yield every time in the ledger that decisions are made from."""
    yield from values["trainings"]
    yield from values.get("slots", {}).values()
    for record in (
        *(entry for name in _MANY for entry in values[name]),
        *(values[name] for name in _ONE if values[name]),
    ):
        yield from (value for name in _TIMES if (value := getattr(record, name, None)))
