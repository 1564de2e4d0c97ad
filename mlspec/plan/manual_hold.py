"""Decides whether a person can hold the release that serves."""

from __future__ import annotations

from dataclasses import dataclass

from mlspec.plan.serving import active_hold, fits_spec
from mlspec.spec.forecast import Forecast
from mlspec.state.observed import Observed


@dataclass(frozen=True, slots=True)
class HoldProblem:
    """Why nothing can be held, and what to do instead."""

    why: str
    hint: str


def find_hold_problem(observed: Observed, spec: Forecast, spec_hash: str) -> HoldProblem | None:
    """Return why the release that serves cannot be held under a spec; None if it can."""
    if "deployment" not in observed.resources:
        return HoldProblem("nothing serves, so there is nothing to hold", "run `mlspec apply`")
    hold, rollout = active_hold(observed.ledger, spec_hash), observed.ledger.rollout
    if hold is not None:
        why = f"release {hold.release} is held already, by {hold.by} since {hold.at}: {hold.reason}"
        return HoldProblem(why, "`mlspec resume` ends that hold")
    if rollout is not None:
        why = f"{rollout.version} is in rollout, and a hold would not stop it"
        return HoldProblem(why, "`mlspec rollback` goes back to the version before it, and holds that")
    if not fits_spec(observed, spec):
        why = "the spec now asks for forecasts that the version that serves cannot make"
        return HoldProblem(why, "apply the spec, or take the change back")
    return None
