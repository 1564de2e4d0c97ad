"""Tells a lineage receiver that a step's run begins, goes on elsewhere, is over or has failed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace

from mlspec.engine.context import Engine
from mlspec.errors import MlspecError, WorkUnderWay
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.lineage import run_id, step_inputs, step_outputs
from mlspec.state.lineage_event import LineageEvent
from mlspec.state.step import StepName


@contextmanager
def reported_run(
    engine: Engine, desired_forecast: DesiredForecast, step: StepName, key: str, roles: Collection[str]
) -> Iterator[list[str]]:
    """Report the run of a step inside the block, which puts the roles of what it wrote into the list that it gets.

    `roles` are those of its input files. Without a receiver nothing is done.
    """
    written: list[str] = []
    report = engine.report_lineage
    if report is None:
        yield written
        return
    name = desired_forecast.name
    inputs = step_inputs(name, desired_forecast.spec, step, roles)
    begun = LineageEvent(run_id(name, step, key), f"{name}.{step}", "START", engine.clock(), inputs)
    report(begun)
    try:
        yield written
    except WorkUnderWay:
        report(replace(begun, state="RUNNING", at=engine.clock()))
        raise
    except BaseException as error:
        said = error.message if isinstance(error, MlspecError) else type(error).__name__
        report(replace(begun, state="FAIL", at=engine.clock(), error=said))
        raise
    report(replace(begun, state="COMPLETE", at=engine.clock(), outputs=step_outputs(name, written)))
