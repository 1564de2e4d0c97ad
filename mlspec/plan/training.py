"""Decides whether the loop trains now, and why. A change of spec or code is enough; a schedule or an alert also needs new data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from mlspec.plan import desired
from mlspec.plan.comparison import comparison_note
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.diff import diff_fields
from mlspec.plan.moments import moment_before
from mlspec.plan.serving import stable_version
from mlspec.spec.forecast import Budget, Forecast
from mlspec.spec.metrics import recorded_metric
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.observed import Observed

WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TrainingDecision:
    """Why a model is trained. `by_itself`: the loop starts it, not a change by a person. The budget limits only these."""

    why: str
    by_itself: bool


def decide_training(wanted: DesiredForecast, observed: Observed, *, due: bool) -> TrainingDecision | None:
    """Return why a model has to be trained, or None. `due`: a run of the retrain schedule is due."""
    current = observed.resources.get("model")
    if current is None:
        return TrainingDecision("there is no model yet", by_itself=False)
    changed = [change.field for change in diff_fields(current.resource.fields, desired.model_resource(wanted).fields)]
    own_fields = [field for field in changed if field not in ("data.digest", "code.version")]
    if own_fields and all(field.startswith((desired.MODEL_CODE, desired.METRIC_CODE)) for field in own_fields):
        names = ", ".join(field.partition(".code.")[2] for field in own_fields[:3])
        return TrainingDecision(f"the code of {names} changed", by_itself=False)
    if own_fields or current.damage:
        return TrainingDecision(current.damage or f"the spec changed ({', '.join(own_fields[:3])})", by_itself=False)
    if "code.version" in changed:
        return TrainingDecision("mlspec itself changed", by_itself=True)
    return (
        _decide_on_new_data(wanted, observed, due=due) if changed else None
    )  # the same data, spec and code make the same version


def _decide_on_new_data(wanted: DesiredForecast, observed: Observed, *, due: bool) -> TrainingDecision | None:
    if due:
        return TrainingDecision("a run of schedule.retrain is due, and the data is newer", by_itself=True)
    alerts = alerts_asking_training(wanted.spec, observed)
    names = ", ".join(alert.name for alert in alerts)
    verb = "fires" if len(alerts) == 1 else "fire"
    return TrainingDecision(f"{names} {verb}, and the data is newer", by_itself=True) if alerts else None


def alerts_asking_training(spec: Forecast, observed: Observed) -> tuple[AlertRecord, ...]:
    """Return the alerts that ask for a training now: each once an incident, and none while a rollback is undecided."""
    metric, ledger = {alert.name: alert.metric for alert in spec.alerts}, observed.ledger
    undecided = any(
        record.name in spec.rollback.on
        and record.state in ("pending", "firing")
        and not _is_rollback_ruled_out(record, observed)
        for record in ledger.alerts
    )
    firing = [
        record
        for record in ledger.alerts
        if record.state == "firing" and record.name in metric and recorded_metric(metric[record.name]).asks_training
    ]
    return () if undecided else tuple(record for record in firing if trained_note(record.incident) not in ledger.acted)


def _is_rollback_ruled_out(alert: AlertRecord, observed: Observed) -> bool:
    """Return whether no rollback would help against an alert, on the present evidence. Then a newer model may help."""
    serves, ledger = stable_version(observed), observed.ledger
    return serves is not None and comparison_note(alert.incident, serves, ledger.evaluated) in ledger.acted


def trained_note(incident: str) -> str:
    """Return the note of a training that an incident asked for."""
    return f"{incident}:trained"


def why_over_budget(budget: Budget, ledger: Ledger, now: str) -> str | None:
    """Return why the loop may not start another training by itself; None if it may."""
    most = budget.trainings_per_week
    started = recent_trainings(ledger.trainings, now)
    if most is None or len(started) < most:
        return None
    return f"{len(started)} of {most} trainings of this week are used up (budget.trainings_per_week)"


def recent_trainings(trainings: Sequence[str], now: str) -> tuple[str, ...]:
    """Return the trainings of the last seven days. One in the future (the clock was set back) counts too."""
    return tuple(started for started in trainings if started > moment_before(now, WEEK))
