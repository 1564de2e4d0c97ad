"""How forecasts turned out: the evidence on which the loop rolls back, and a person looks."""

from __future__ import annotations

from collections.abc import Sequence

from mlspec.engine.effects import Work, panel
from mlspec.engine.pipeline import run_step
from mlspec.errors import StateError
from mlspec.plan.thresholds import Judged, judge
from mlspec.state.observed import Settlement
from mlspec.state.record import Condition, Event

_NEWEST = 60  # forecasts are held against their actuals


def evaluate(work: Work) -> tuple[Judged, ...]:
    """Hold the forecasts that were made against what came, judge each alert, and record what fires.

    What serves is not changed here: that a threshold is broken is evidence for the loop.
    """
    at, spec = work.engine.clock(), work.wanted.spec
    runs = [run for run in work.engine.target.runs(work.name) if "forecast" in run.files][:_NEWEST]
    inputs = panel(work)
    if not inputs:
        raise StateError(f"{work.name}: there is no checked data to evaluate on", hint="run the step check before it")
    inputs |= {f"forecast-{number}": run.files["forecast"] for number, run in enumerate(runs, 1)}
    found = run_step(work.engine, work.wanted, "evaluate", inputs, {"now": work.moment or at})
    measured = {each["name"]: each["segments"] for each in found.facts["alerts"]}
    judged = tuple(judge(alert, measured[alert["name"]]) for alert in spec["alerts"])
    firing = [each for each in judged if each.state == "firing"]
    work.settle(
        Settlement(
            work.name,
            events=tuple(Event(work.name, at, "Warning", "ThresholdBroken", each.sentence) for each in firing),
            conditions=(_healthy(work.name, judged, at),),
        )
    )
    return judged


def _healthy(name: str, judged: Sequence[Judged], at: str) -> Condition:
    firing = [each.sentence for each in judged if each.state == "firing"]
    if firing:
        return Condition(name, "Healthy", "False", "ThresholdBroken", "; ".join(firing), at)
    known = [each for each in judged if each.state == "ok"]
    if not known:
        return Condition(name, "Healthy", "Unknown", "NoData", "no alert has enough data for a verdict yet", at)
    return Condition(
        name, "Healthy", "True", "WithinThresholds", f"{len(known)} of {len(judged)} alerts have data, none fires", at
    )
