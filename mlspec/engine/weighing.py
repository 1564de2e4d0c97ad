"""Before traffic moves back: would what takes over have done better? It forecasts again what the version that serves forecast."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlspec.engine import moves
from mlspec.engine.effects import Work, files_of, known, panel
from mlspec.engine.evaluation import measured
from mlspec.engine.pipeline import run_step
from mlspec.errors import DataError, ModelError, StateError, TargetError
from mlspec.plan import answered
from mlspec.plan.rollback import NO_BETTER, RollBack
from mlspec.plan.rollout import ROLLOUT, Abort
from mlspec.plan.serving import stable
from mlspec.plan.weighing import better, noted
from mlspec.state.ledger import Rollout
from mlspec.state.observed import Observed, Settlement
from mlspec.state.record import Event, Release, Version
from mlspec.state.resource import Json

logger = logging.getLogger(__name__)


def first_better(
    work: Work, observed: Observed, serves: str, decision: RollBack
) -> tuple[Release | None, Version] | None:
    """Return the first of a decision's targets that would have done better than what serves, and its version; None where none.

    A fallback that was never made is made for it.
    """
    for release in decision.targets:
        version = known(work, release.version) if release else moves.fallback(work)
        if _better(work, observed, serves, decision.alert, version):
            return release, version
    return None


def measure(work: Work, observed: Observed, move: RollBack | Abort) -> None:
    """Run the steps that a move is weighed by, so that they are filed when it is decided. Raises what they raise."""
    if isinstance(move, Abort):
        rollout = observed.ledger.rollout
        before = known(work, rollout.stable_version) if rollout else None
        asked = [(name, rollout.version, before) for name in move.alerts] if rollout and before else []
        any(_does_better(work, observed, bad, name, version) for name, bad, version in asked)
        return
    for release in move.targets:
        version = known(work, release.version) if release else moves.fallback(work)
        if _does_better(work, observed, str(stable(observed)), move.alert, version):
            return


def helps(work: Work, observed: Observed, rollout: Rollout, step: Abort) -> bool:
    """Return whether the version before would have done better than the one on its way, by any of the alerts that fire on it."""
    before = known(work, rollout.stable_version)
    return any(_better(work, observed, rollout.version, name, before) for name in step.alerts)


def wait(work: Work, observed: Observed, rollout: Rollout) -> None:
    """Record that the version before would have done no better: traffic stays as it is, until there is more evidence."""
    ledger = observed.ledger
    acted = noted(ledger.acted, ROLLOUT, rollout.version, ledger.evaluated)
    work.settle(Settlement(work.name, ledger=replace(ledger, acted=acted)))


def stay(work: Work, observed: Observed, serves: str, decision: RollBack) -> None:
    """Record that nothing would have done better, on the evidence as it is: what serves stays, and a training may be asked for."""
    ledger, at = observed.ledger, work.engine.clock()
    acted = noted(ledger.acted, decision.incident, serves, ledger.evaluated)
    said = f"{serves} stays: {decision.alert} fires, and {NO_BETTER}"
    event = Event(work.name, at, "Warning", "RollbackWouldNotHelp", said, serves)
    first = not any(each.startswith(f"{decision.incident}:{serves}:") for each in ledger.acted)
    work.settle(Settlement(work.name, events=(event,) if first else (), ledger=replace(ledger, acted=acted)))


def _better(work: Work, observed: Observed, serves: str, name: str, version: Version) -> bool:
    """Return whether a version would have done better than what serves, by one alert; what cannot be told counts as better.

    A file that is lost, or a model that cannot forecast from an earlier cutoff, must not hold up a rollback.
    """
    try:
        return _does_better(work, observed, serves, name, version)
    except (DataError, ModelError, StateError, TargetError) as error:
        logger.debug("%s cannot be weighed", version.version, exc_info=error)
        said = f"{version.version} cannot be weighed against {serves}: {error.message.splitlines()[0]}"
        event = Event(work.name, work.engine.clock(), "Warning", "NotWeighed", said, version.version)
        work.settle(Settlement(work.name, events=(event,)))
        return True


def _does_better(work: Work, observed: Observed, serves: str, name: str, version: Version) -> bool:
    if _of(name, work.wanted.spec["alerts"])["metric"] in answered.METRICS:
        return True  # nothing that a server did can be done again
    cutoffs = _of(name, measured(work, observed)["alerts"]).get("made_at", {}).get(serves)
    if not cutoffs:  # the alert is not about forecasts
        return True
    inputs = {**panel(work), **files_of(version.files, "model", "backtest")}
    again = run_step(work.engine, work.wanted, "forecast", inputs, {"version": version.version, "cutoffs": cutoffs})
    options = {"versions": [serves], "instead": {serves: version.version}}
    found = measured(work, observed, {"instead": again.outputs["forecast"]}, options)
    values = _of(name, found["alerts"])["by_version"]
    return better(_of(name, work.wanted.spec["alerts"]), values[serves], values[version.version])


def _of(name: str, alerts: Sequence[Mapping[str, Json]]) -> Mapping[str, Json]:
    return next(each for each in alerts if each["name"] == name)
