"""Checks before a rollback whether its target would have done better: it repeats the forecasts of the version that serves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from mlspec.engine import traffic
from mlspec.engine.effects import ForecastWork, files_of, known_version, panel_files
from mlspec.engine.evaluation import evaluation_facts
from mlspec.engine.pipeline import run_step
from mlspec.errors import DataError, ModelError, StateError, TargetError
from mlspec.plan.comparison import with_comparison_note, would_do_better
from mlspec.plan.rollback import NO_BETTER_VERSION, RollBack
from mlspec.plan.rollout import ROLLOUT, Abort
from mlspec.plan.serving import stable_version
from mlspec.spec.metrics import metric_kind
from mlspec.state.ledger import RolloutProgress
from mlspec.state.observed import Observed, Settlement
from mlspec.state.record import Event, Release, Version
from mlspec.state.resource import Json

logger = logging.getLogger(__name__)


def find_better_target(
    work: ForecastWork, observed: Observed, serves: str, decision: RollBack
) -> tuple[Release | None, Version] | None:
    """Return the first of a decision's targets that would have done better than what serves, and its version; None if none would.

    Makes the fallback's version if it does not exist yet.
    """
    for release in decision.targets:
        version = known_version(work, release.version) if release else traffic.make_fallback(work)
        if _counts_as_better(work, observed, serves, decision.alert, version):
            return release, version
    return None


def measure_move(work: ForecastWork, observed: Observed, move: RollBack | Abort) -> None:
    """Run the steps of the comparison for a move, so that they are stored when the move is decided. Raises what they raise."""
    if isinstance(move, Abort):
        rollout = observed.ledger.rollout
        before = known_version(work, rollout.stable_version) if rollout else None
        asked = [(name, rollout.version, before) for name in move.alerts] if rollout and before else []
        any(_does_better(work, observed, bad, name, version) for name, bad, version in asked)
        return
    for release in move.targets:
        version = known_version(work, release.version) if release else traffic.make_fallback(work)
        if _does_better(work, observed, str(stable_version(observed)), move.alert, version):
            return


def would_abort_help(work: ForecastWork, observed: Observed, rollout: RolloutProgress, step: Abort) -> bool:
    """Return whether the stable version would have done better than the new one, by any alert that fires on the new one."""
    before = known_version(work, rollout.stable_version)
    return any(_counts_as_better(work, observed, rollout.version, name, before) for name in step.alerts)


def record_rollout_unchanged(work: ForecastWork, observed: Observed, rollout: RolloutProgress) -> None:
    """Record that the stable version would have done no better: traffic stays as it is until there is new evidence."""
    ledger = observed.ledger
    acted = with_comparison_note(ledger.acted, ROLLOUT, rollout.version, ledger.evaluated)
    work.record_settlement(Settlement(work.name, ledger=replace(ledger, acted=acted)))


def record_version_unchanged(work: ForecastWork, observed: Observed, serves: str, decision: RollBack) -> None:
    """Record that no version would have done better, on this evidence: what serves stays, and a training may start."""
    ledger, at = observed.ledger, work.engine.clock()
    acted = with_comparison_note(ledger.acted, decision.incident, serves, ledger.evaluated)
    sentence = f"{serves} stays: {decision.alert} fires, and {NO_BETTER_VERSION}"
    event = Event(work.name, at, "Warning", "RollbackWouldNotHelp", sentence, serves)
    first = not any(entry.startswith(f"{decision.incident}:{serves}:") for entry in ledger.acted)
    work.record_settlement(Settlement(work.name, events=(event,) if first else (), ledger=replace(ledger, acted=acted)))


def _counts_as_better(work: ForecastWork, observed: Observed, serves: str, name: str, version: Version) -> bool:
    """Return whether a version would have done better than what serves, by one alert; True if they cannot be compared.

    A lost file, or a model that cannot forecast from an earlier cutoff, must not prevent a rollback.
    """
    try:
        return _does_better(work, observed, serves, name, version)
    except (DataError, ModelError, StateError, TargetError) as error:
        logger.debug("%s cannot be compared", version.version, exc_info=error)
        sentence = f"{version.version} cannot be compared with {serves}: {error.message.splitlines()[0]}"
        event = Event(work.name, work.engine.clock(), "Warning", "NotWeighed", sentence, version.version)
        work.record_settlement(Settlement(work.name, events=(event,)))
        return True


def _does_better(work: ForecastWork, observed: Observed, serves: str, name: str, version: Version) -> bool:
    alert = next(alert for alert in work.desired.spec.alerts if alert.name == name)
    if metric_kind(alert.metric) == "serving":
        return True  # the requests of a server cannot be repeated
    cutoffs = _values_of(name, evaluation_facts(work, observed)).get("made_at", {}).get(serves)
    if not cutoffs:  # the alert is not about forecasts
        return True
    inputs = {**panel_files(work), **files_of(version.files, "model", "backtest")}
    again = run_step(work.engine, work.desired, "forecast", inputs, {"version": version.version, "cutoffs": cutoffs})
    options = {"versions": [serves], "instead": {serves: version.version}}
    comparison = evaluation_facts(work, observed, {"instead": again.outputs["forecast"]}, options)
    values = _values_of(name, comparison)
    own, other = (values["by_version"][each] for each in (serves, version.version))
    return would_do_better(alert, own, other, values.get("limits"))


def _values_of(name: str, facts: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return what an evaluation measured for one alert."""
    alert_values: Mapping[str, Json] = next(row for row in facts["alerts"] if row["name"] == name)
    return alert_values
