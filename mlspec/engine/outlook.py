"""What a pass of the loop would do for one forecast: looked at without a lock, and again under it. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mlspec.engine.context import Engine, Spec
from mlspec.errors import DataError
from mlspec.plan.backoff import waits
from mlspec.plan.desired import Wanted
from mlspec.plan.diff import changes
from mlspec.plan.moments import moment
from mlspec.plan.schedule import Due, due
from mlspec.plan.training import Training, over_budget, training
from mlspec.state.observed import Observed, SourceFacts
from mlspec.state.plan import Change
from mlspec.state.resource import Json, Kind, digest

_SCHEDULED: Mapping[str, Kind] = {"forecast": "forecast", "retrain": "model"}


@dataclass(frozen=True)
class Outlook:
    """What is so, what is due, and the changes that follow.

    `wanted` waits with what is not due yet; `training` says why a model is trained, `refused` why not although it is asked for;
    `key` names this work: a failure of it waits until it is tried again. `missing` is what is wrong where the data is not there.
    """

    wanted: Wanted
    observed: Observed
    slots: Mapping[str, Due]
    training: Training | None
    refused: str | None
    changes: tuple[Change, ...]
    key: str
    blocked: bool
    missing: DataError | None = None

    def change(self, kind: Kind) -> Change:
        """Return the change of one kind of resource."""
        return next(each for each in self.changes if each.resource.startswith(f"{kind}."))

    @property
    def todo(self) -> tuple[Change, ...]:
        """The changes that the loop may carry out: those in its mode, of work that does not wait after a failure."""
        if self.blocked:
            return ()
        return tuple(
            each for each in self.changes if each.action != "none" and mode(self.wanted.spec, each) == "enforce"
        )

    @property
    def handled(self) -> Mapping[str, Due]:
        """The schedules' moments that a pass deals with. Work that waits, has no budget or data, or is only observed stays due."""
        if self.blocked or self.missing:
            return {}
        return {
            name: each
            for name, each in self.slots.items()
            if mode(self.wanted.spec, _SCHEDULED[name]) == "enforce" and not (name == "retrain" and self.refused)
        }

    @property
    def reported(self) -> tuple[Change, ...]:
        """The changes that the loop only reports."""
        return tuple(
            each for each in self.changes if each.action != "none" and mode(self.wanted.spec, each) == "observe"
        )


def mode(spec: Mapping[str, Json], change: Change | Kind) -> str:
    """Return the loop's mode for one kind of resource. Data is looked at in observe mode too: that is how one observes."""
    kind = change if isinstance(change, str) else change.resource.partition(".")[0]
    found: str = spec["reconcile"]["resources"].get(kind, spec["reconcile"]["mode"])
    return "enforce" if kind == "data" and found == "observe" else found


def look(engine: Engine, spec: Spec) -> Outlook:
    """Return the outlook of one forecast. Raises DataError where its data is not there, and never was."""
    now, observed = engine.clock(), engine.target.observe(spec.name)
    wanted, missing = _wanted(engine, spec, observed)
    slots = slots_due(wanted.spec, observed, moment(now))
    trained = training(wanted, observed, due="retrain" in slots)
    refused = over_budget(wanted.spec["budget"], observed.ledger, now) if trained and trained.by_itself else None
    if refused:
        trained = None
    wanted = wanted.but(_waiting(wanted.spec, observed, train=trained is not None, slots=slots))
    key = digest([wanted.spec_hash, wanted.source.digest, engine.mlspec], 32)  # a newer mlspec may be able to do it
    blocked = waits(observed.ledger.failure, key, now)
    return Outlook(wanted, observed, slots, trained, refused, changes(wanted, observed), key, blocked, missing)


def _wanted(engine: Engine, spec: Spec, observed: Observed) -> tuple[Wanted, DataError | None]:
    """Return what a spec wants; where its source is gone, with the data that was read last, so that watching goes on."""
    try:
        return engine.wanted(spec), None
    except DataError as error:
        seen = observed.seen.get("data")
        if seen is None:
            raise
        facts = SourceFacts(str(seen.resource.fields["data.digest"]), (), 0)
        return Wanted(spec.name, spec.json, spec.spec_hash, facts, engine.code), error


def slots_due(spec: Mapping[str, Json], observed: Observed, now: datetime) -> dict[str, Due]:
    """Return which schedules have come round since they were dealt with; before the first release, none has."""
    schedule = spec["schedule"]
    since = next(
        (each.since for each in observed.conditions if each.type == "Deployed" and each.status == "True"), None
    )
    found = {}
    for name in ("forecast", "retrain"):
        handled = observed.ledger.slots.get(name) or since
        slot = due(schedule[name], schedule["timezone"], moment(handled), now) if handled else None
        if slot:
            found[name] = slot
    return found


def _waiting(
    spec: Mapping[str, Json], observed: Observed, *, train: bool, slots: Mapping[str, Due]
) -> dict[Kind, Mapping[str, Json]]:
    """Return the facts that stay as they were, by kind: a model that is not trained yet, a forecast that is not due."""
    found: dict[Kind, Mapping[str, Json]] = {}
    model, forecast = observed.seen.get("model"), observed.seen.get("forecast")
    if model and not train:
        kept = ("data.digest", "code.version")
        found["model"] = {name: model.resource.fields[name] for name in kept if name in model.resource.fields}
    if forecast and spec["schedule"]["forecast"] and "forecast" not in slots:
        found["forecast"] = {"data.digest": forecast.resource.fields.get("data.digest")}
    return found
