"""Notes on the parts of a spec that `apply` alone does not act on: those that the loop acts on, and those without effect."""

from __future__ import annotations

from collections.abc import Callable

from mlspec.spec.dataset import Actuals
from mlspec.spec.forecast import Budget, Forecast, Machine, Reconcile, Rollback, Rollout, Schedule

# What acts while the loop runs: the part's key, and whether a spec asks it for something.
_LOOP: tuple[tuple[str, Callable[[Forecast], bool]], ...] = (
    ("schedule", lambda spec: spec.schedule != Schedule()),
    ("alerts", lambda spec: bool(spec.alerts)),
    ("notify", lambda spec: bool(spec.notify)),
    ("rollback", lambda spec: spec.rollback != Rollback()),
    ("reconcile", lambda spec: spec.reconcile != Reconcile()),
    ("budget", lambda spec: spec.budget != Budget()),
    ("dataset.actuals", lambda spec: spec.dataset.actuals != Actuals()),
    ("deployment.rollout", lambda spec: spec.deployment.rollout != Rollout()),
)


def _deployment_note(spec: Forecast) -> str | None:
    remarks = []
    if spec.deployment.serve != "batch":
        remarks.append(
            f"serve: {spec.deployment.serve} is `mlspec serve` on a local target, an endpoint on Google Cloud"
        )
    if spec.deployment.machine != Machine():
        remarks.append("machine is for an endpoint, and the local target has none")
    if spec.deployment.batch_machine:
        remarks.append("batch_machine is for a job on Google Cloud; the local target forecasts on this machine")
    return "; ".join(remarks) or None


def _training_note(spec: Forecast) -> str | None:
    remarks = []
    if spec.training.machine:
        remarks.append("machine is for a job on Google Cloud; the local target trains on this machine")
    if (spec.training.address or "").startswith("vertex_ray:"):
        remarks.append(
            "Ray on Vertex AI asks its clients for Python 3.11, and their account for roles/aiplatform.user: the image and the "
            "accounts of the steps on Google Cloud have neither by themselves (docs/cluster.md)"
        )
    return "; ".join(remarks) or None


def _metadata_note(spec: Forecast) -> str | None:
    return (
        "labels are kept with the release; the local target has no resources to label" if spec.metadata.labels else None
    )


def _budget_note(spec: Forecast) -> str | None:
    return "monthly limits what is billed; the local target costs nothing" if spec.budget.monthly else None


_SENTENCES: tuple[tuple[str, Callable[[Forecast], str | None]], ...] = (
    ("metadata", _metadata_note),
    ("training", _training_note),
    ("deployment", _deployment_note),
    ("budget", _budget_note),
)


def spec_notes(name: str, spec: Forecast) -> tuple[str, ...]:
    """Return a sentence on the parts of a resolved spec that need the loop, and one for each part without effect here."""
    sentences = [(key, say(spec)) for key, say in _SENTENCES]
    parts = loop_parts(spec)
    if parts:
        who_acts = f"`mlspec reconcile` and each run of its DAG act on {', '.join(parts)}"
        sentences.append(("loop", f"{who_acts}; apply alone looks at data, model and forecast"))
    return tuple(f"{name}: {key}: {sentence}" for key, sentence in sentences if sentence)


def schedule_note(name: str, spec: Forecast) -> str:
    """Return a sentence on who runs a forecast: its DAG and the loop keep its schedule; without one nothing runs it by itself."""
    crons = {"schedule.forecast": spec.schedule.forecast, "schedule.retrain": spec.schedule.retrain}
    known = [f"{key} ({cron}, {spec.schedule.timezone})" for key, cron in crons.items() if cron]
    if known:
        return f"{name}: schedule: its DAG in Airflow keeps {' and '.join(known)}, and so does `mlspec reconcile`, whichever runs"
    return (
        f"{name}: schedule: none, so nothing runs it by itself; `mlspec reconcile` makes a forecast when the data is newer,"
        " a DAG when somebody triggers it"
    )


def loop_parts(spec: Forecast) -> tuple[str, ...]:
    """Return the keys of the parts of a spec that need the loop."""
    return tuple(key for key, asks in _LOOP if asks(spec))
