"""Shall the loop train now, and why? Spec and code say so at once, a schedule and alerts once the data has moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from mlspec.plan import desired
from mlspec.plan.comparison import weighed
from mlspec.plan.desired import Wanted
from mlspec.plan.diff import differences
from mlspec.plan.moments import earlier
from mlspec.plan.serving import stable
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.observed import Observed
from mlspec.state.resource import Json

# Alerts on these ask for a model that has seen the newest data: how forecasts turned out, and how far the data has drifted.
_LEARN = ("wape", "mase", "rmsse", "bias", "pinball", "coverage", "psi", "ks")
WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Training:
    """Why a model is trained. `by_itself` says that the loop starts it, not a person's change: the budget guards only that."""

    why: str
    by_itself: bool


def training(wanted: Wanted, observed: Observed, *, due: bool) -> Training | None:
    """Return why a model has to be trained, or None. `due` says that the retrain schedule has come round."""
    seen = observed.seen.get("model")
    if seen is None:
        return Training("there is no model yet", by_itself=False)
    changed = [each.field for each in differences(seen.resource.fields, desired.model(wanted).fields)]
    ours = [field for field in changed if field not in ("data.digest", "code.version")]
    if ours or seen.damage:
        return Training(seen.damage or f"the spec changed ({', '.join(ours[:3])})", by_itself=False)
    if "code.version" in changed:
        return Training("mlspec itself changed", by_itself=True)
    return _newer(wanted, observed, due=due) if changed else None  # the same data, spec and code make the same version


def _newer(wanted: Wanted, observed: Observed, *, due: bool) -> Training | None:
    if due:
        return Training("the retrain schedule came round, and the data is newer", by_itself=True)
    asks = asking(wanted.spec, observed)
    names = ", ".join(each.name for each in asks)
    return Training(f"{names} fires, and the data is newer", by_itself=True) if asks else None


def asking(spec: Mapping[str, Json], observed: Observed) -> tuple[AlertRecord, ...]:
    """Return the alerts that ask for a training now: each once an incident, and none while one that may roll back is undecided."""
    metric, ledger = {alert["name"]: alert["metric"] for alert in spec["alerts"]}, observed.ledger
    undecided = any(
        each.name in spec["rollback"]["on"] and each.state in ("pending", "firing") and not _weighed(each, observed)
        for each in ledger.alerts
    )
    asks = [each for each in ledger.alerts if each.state == "firing" and metric.get(each.name) in _LEARN]
    return () if undecided else tuple(each for each in asks if learnt(each.incident) not in ledger.acted)


def _weighed(alert: AlertRecord, observed: Observed) -> bool:
    """Return whether no rollback would help against an alert, as far as is known: then a newer model may."""
    serves, ledger = stable(observed), observed.ledger
    return serves is not None and weighed(alert.incident, serves, ledger.evaluated) in ledger.acted


def learnt(incident: str) -> str:
    """Return what is noted of a training that an incident asked for."""
    return f"{incident}:trained"


def over_budget(budget: Mapping[str, Json], ledger: Ledger, now: str) -> str | None:
    """Return why the loop may not start another training by itself; None where it may."""
    most = budget["trainings_per_week"]
    started = recent(ledger.trainings, now)
    if most is None or len(started) < most:
        return None
    return f"{len(started)} of {most} trainings of this week are used up (budget.trainings_per_week)"


def recent(trainings: Sequence[str], now: str) -> tuple[str, ...]:
    """Return the trainings of the last seven days. One that lies ahead of a clock that was set back counts."""
    return tuple(each for each in trainings if each > earlier(now, WEEK))
