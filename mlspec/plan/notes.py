"""Notes on the parts of a spec that `apply` alone does not act on: those that the loop acts on, and those without effect."""

from __future__ import annotations

from collections.abc import Callable

from mlspec.spec.forecast import Actuals, Budget, Forecast, Machine, Reconcile, Rollback, Rollout, Schedule

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
    return (
        "machine is for a job on Google Cloud; the local target trains on this machine"
        if spec.training.machine
        else None
    )


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
        active_parts = f"{', '.join(parts)} act{'' if len(parts) > 1 else 's'} while `mlspec reconcile` runs"
        sentences.append(("loop", f"{active_parts}; apply alone looks at data, model and forecast"))
    return tuple(f"{name}: {key}: {sentence}" for key, sentence in sentences if sentence)


def loop_parts(spec: Forecast) -> tuple[str, ...]:
    """Return the keys of the parts of a spec that need the loop."""
    return tuple(key for key, asks in _LOOP if asks(spec))
