"""Plans a pass of the loop for one forecast: once without a lock, and again under it. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mlspec.engine.context import Engine, Spec
from mlspec.errors import DataError
from mlspec.plan.backoff import must_wait
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.diff import plan_changes
from mlspec.plan.moments import parse_moment
from mlspec.plan.schedule import DueRun, due_run
from mlspec.plan.training import TrainingDecision, decide_training, why_over_budget
from mlspec.spec.forecast import Forecast, ReconcileMode
from mlspec.state.observed import Observed, SourceFacts
from mlspec.state.plan import Change
from mlspec.state.resource import Json, Kind, digest

_SCHEDULED: Mapping[str, Kind] = {"forecast": "forecast", "retrain": "model"}


@dataclass(frozen=True)
class PassPlan:
    """The observed state, the due runs, and the changes that follow.

    `desired` keeps the old facts of what is not due yet. `training` says why a model is trained; `refused` why a desired
    training is not done. `key` identifies this work: if it failed before, `blocked` says that its retry is not due. `missing`
    is the error if the data is missing.
    """

    desired: DesiredForecast
    observed: Observed
    slots: Mapping[str, DueRun]
    training: TrainingDecision | None
    refused: str | None
    changes: tuple[Change, ...]
    key: str
    blocked: bool
    missing: DataError | None = None

    def change_of(self, kind: Kind) -> Change:
        """Return the change of one kind of resource."""
        return next(change for change in self.changes if change.resource.startswith(f"{kind}."))

    @property
    def pending_changes(self) -> tuple[Change, ...]:
        """The changes that the loop may carry out: of resources in mode enforce, and not while a failure's retry is not due."""
        if self.blocked:
            return ()
        return tuple(
            change
            for change in self.changes
            if change.action != "none" and resource_mode(self.desired.spec, change) == "enforce"
        )

    @property
    def handled_schedules(self) -> Mapping[str, DueRun]:
        """The due runs that a pass handles. A run stays due after a failure, without budget or data, and in observe mode."""
        if self.blocked or self.missing:
            return {}
        return {
            name: slot
            for name, slot in self.slots.items()
            if resource_mode(self.desired.spec, _SCHEDULED[name]) == "enforce"
            and not (name == "retrain" and self.refused)
        }

    @property
    def reported_changes(self) -> tuple[Change, ...]:
        """The changes that the loop only reports."""
        return tuple(
            change
            for change in self.changes
            if change.action != "none" and resource_mode(self.desired.spec, change) == "observe"
        )


def resource_mode(spec: Forecast, change: Change | Kind) -> ReconcileMode:
    """Return the loop's mode for one kind of resource. Data is read in observe mode too: observation needs it."""
    kind = change if isinstance(change, str) else change.resource.partition(".")[0]
    setting = next((mode for name, mode in spec.reconcile.resources.items() if name == kind), spec.reconcile.mode)
    return "enforce" if kind == "data" and setting == "observe" else setting


def plan_pass(engine: Engine, spec: Spec, observed: Observed) -> PassPlan:
    """Return the plan of a pass over one forecast. Raises DataError if its data is missing and was never read."""
    now = engine.clock()
    desired_forecast, missing = _load_desired(engine, spec, observed)
    slots = slots_due(desired_forecast.spec, observed, parse_moment(now))
    trained = decide_training(desired_forecast, observed, due="retrain" in slots)
    refused = (
        why_over_budget(desired_forecast.spec.budget, observed.ledger, now) if trained and trained.by_itself else None
    )
    if refused:
        trained = None
    desired_forecast = desired_forecast.with_waiting(
        _unchanged_facts(desired_forecast.spec, observed, train=trained is not None, slots=slots)
    )
    key = digest(
        [desired_forecast.spec_hash, desired_forecast.source.digest, engine.mlspec], 32
    )  # with the version of mlspec: a newer one may succeed
    blocked = must_wait(observed.ledger.failure, key, now)
    return PassPlan(
        desired_forecast,
        observed,
        slots,
        trained,
        refused,
        plan_changes(desired_forecast, observed),
        key,
        blocked,
        missing,
    )


def _load_desired(engine: Engine, spec: Spec, observed: Observed) -> tuple[DesiredForecast, DataError | None]:
    """Return the desired state. If the source is missing, use the data that was read last, so that monitoring continues."""
    try:
        return engine.desired_forecast(spec), None
    except DataError as error:
        seen = observed.resources.get("data")
        if seen is None:
            raise
        facts = SourceFacts(str(seen.resource.fields["data.digest"]), (), 0)
        return DesiredForecast(spec.name, spec.forecast, spec.spec_hash, facts, engine.code), error


def slots_due(spec: Forecast, observed: Observed, now: datetime) -> dict[str, DueRun]:
    """Return the due run of each schedule since its last handled moment; none before the first release."""
    timezone, crons = spec.schedule.timezone, {"forecast": spec.schedule.forecast, "retrain": spec.schedule.retrain}
    since = next(
        (
            condition.since
            for condition in observed.conditions
            if condition.type == "Deployed" and condition.status == "True"
        ),
        None,
    )
    due_slots = {}
    for name, cron in crons.items():
        handled = observed.ledger.slots.get(name) or since
        slot = due_run(cron, timezone, parse_moment(handled), now) if handled else None
        if slot:
            due_slots[name] = slot
    return due_slots


def _unchanged_facts(
    spec: Forecast, observed: Observed, *, train: bool, slots: Mapping[str, DueRun]
) -> dict[Kind, Mapping[str, Json]]:
    """Return the facts to keep, by kind: of a model that is not trained now, and of a forecast that is not due."""
    facts: dict[Kind, Mapping[str, Json]] = {}
    model, forecast = observed.resources.get("model"), observed.resources.get("forecast")
    if model and not train:
        kept = ("data.digest", "code.version")
        facts["model"] = {name: model.resource.fields[name] for name in kept if name in model.resource.fields}
    if forecast and spec.schedule.forecast and "forecast" not in slots:
        facts["forecast"] = {"data.digest": forecast.resource.fields.get("data.digest")}
    return facts
