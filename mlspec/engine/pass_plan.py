"""Plans a pass of the loop for one forecast: once without a lock, and again under it. Writes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mlspec.engine.context import Engine, Spec, metric_code_digests, model_code_digests
from mlspec.engine.effects import version_name
from mlspec.errors import DataError
from mlspec.plan.backoff import must_wait
from mlspec.plan.desired import DesiredForecast, data_resource
from mlspec.plan.diff import compare_resource, plan_changes
from mlspec.plan.moments import parse_moment
from mlspec.plan.schedule import DueRun, due_run
from mlspec.plan.training import TrainingDecision, decide_training, why_over_budget
from mlspec.spec.forecast import Forecast, ReconcileMode
from mlspec.state.observed import Observed, SourceFacts
from mlspec.state.plan import Change
from mlspec.state.resource import Json, Kind, digest

_SCHEDULED: Mapping[str, Kind] = {"forecast": "forecast", "retrain": "model"}
DATA_MISSING = "DataMissing"  # the reason of the condition DataReady if the source cannot be found


@dataclass(frozen=True)
class PassPlan:
    """The observed state, the due runs, and the changes that follow.

    `desired` keeps the old facts of what is not due yet. `training` says why a model is trained; `refused` why a desired
    training is not done; `counted` that the training was counted already, when a step of a DAG began it. `key` identifies this
    work: if it failed before, `blocked` says that its retry is not due. `missing` is the error if the data is missing.
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
    counted: bool = False

    def change_of(self, kind: Kind) -> Change:
        """Return the change of one kind of resource."""
        return next(change for change in self.changes if change.resource.startswith(f"{kind}."))

    @property
    def pending_changes(self) -> tuple[Change, ...]:
        """The changes that the loop may carry out: of resources in mode enforce, and not while a failure's retry is not due."""
        return () if self.blocked else self._open_changes

    @property
    def waiting_changes(self) -> tuple[Change, ...]:
        """The changes that wait because this work failed, and its retry is not due."""
        return self._open_changes if self.blocked else ()

    @property
    def has_failed_work(self) -> bool:
        """Whether this work failed before, and was not done since."""
        failure = self.observed.ledger.failure
        return self.blocked or bool(failure and failure.key == self.key and self._open_changes)

    @property
    def _open_changes(self) -> tuple[Change, ...]:
        return tuple(
            change
            for change in self.changes
            if change.action != "none" and resource_mode(self.desired.spec, change) == "enforce"
        )

    @property
    def handled_schedules(self) -> Mapping[str, DueRun]:
        """The due runs that are handled once a pass is over: those with nothing left to do for them.

        A run stays due after a failure, without budget or data, and in observe mode. One that came due while the pass was under way
        stays due for the next pass.
        """
        if self.has_failed_work or self.missing:
            return {}
        return {
            name: slot
            for name, slot in self.slots.items()
            if resource_mode(self.desired.spec, _SCHEDULED[name]) == "enforce"
            and not (name == "retrain" and self.refused)
            and self.change_of(_SCHEDULED[name]).action == "none"
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
    """Return the plan of a pass over one forecast, on its present data.

    Raises DataError if its data is missing and was never read.
    """
    return _plan_on(engine, observed, *_load_desired(engine, spec, observed))


def plan_on_checked_data(engine: Engine, spec: Spec, observed: Observed) -> PassPlan:
    """Return the plan of the rest of a pass, on the data that was checked last: data that comes in meanwhile is for the next pass.

    On the present data if none was checked, if the last check failed, or if the spec asks for another check.
    """
    data = observed.resources.get("data")
    if data is None:
        return plan_pass(engine, spec, observed)
    wanted = _as_checked(engine, spec, data.resource.fields)
    if compare_resource(data_resource(wanted), observed).action != "none":
        return plan_pass(engine, spec, observed)
    return _plan_on(engine, observed, wanted, recorded_absence(observed))


def _plan_on(
    engine: Engine, observed: Observed, desired_forecast: DesiredForecast, missing: DataError | None
) -> PassPlan:
    now = engine.clock()
    slots = slots_due(desired_forecast.spec, observed, parse_moment(now))
    begun = observed.ledger.training
    counted = bool(begun) and begun == version_name(engine, desired_forecast)
    trained = decide_training(desired_forecast, observed, due="retrain" in slots)
    refused = None
    if counted:
        trained = TrainingDecision("its backtest is done", by_itself=True)
    elif trained and trained.by_itself:
        refused = why_over_budget(desired_forecast.spec.budget, observed.ledger, now)
    if refused:
        trained = None
    desired_forecast = desired_forecast.with_waiting(
        _unchanged_facts(desired_forecast.spec, observed, train=trained is not None, slots=slots)
    )
    key = work_key(desired_forecast, engine.mlspec)
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
        counted,
    )


def work_key(desired_forecast: DesiredForecast, mlspec: str) -> str:
    """Return the digest of the work of a pass: of the spec, the data, the code of own models and metrics, and of mlspec."""
    own_code = [dict(code) for code in (desired_forecast.model_code, desired_forecast.metric_code) if code]
    return digest([desired_forecast.spec_hash, desired_forecast.source.digest, mlspec, *own_code], 32)


def recorded_absence(observed: Observed) -> DataError | None:
    """Return the error that this forecast's data was missing when it was looked for last; None if it was there."""
    absent = (condition for condition in observed.conditions if condition.reason == DATA_MISSING)
    return next((DataError(condition.message, hint="bring the data back") for condition in absent), None)


def _load_desired(engine: Engine, spec: Spec, observed: Observed) -> tuple[DesiredForecast, DataError | None]:
    """Return the desired state. If the source is missing, use the data that was read last, so that monitoring continues."""
    try:
        return engine.desired_forecast(spec), None
    except DataError as error:
        seen = observed.resources.get("data")
        if seen is None:
            raise
        return _as_checked(engine, spec, seen.resource.fields), error


def _as_checked(engine: Engine, spec: Spec, fields: Mapping[str, Json]) -> DesiredForecast:
    """Return the desired state on the data that was checked last; `fields` are the recorded ones of the data."""
    facts = SourceFacts(str(fields["data.digest"]), (), 0)
    return DesiredForecast(
        spec.name, spec.forecast, spec.spec_hash, facts, engine.code,
        model_code_digests(spec.forecast, engine.root), metric_code_digests(spec.forecast),
    )  # fmt: skip


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
