"""Plays one run of a rendered DAG as Airflow does: its own table of tasks, trigger rules and branches, each step on the record.

The tables are read from the text that `mlspec render` writes, so that a test of a run cannot drift from the template.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from mlspec.engine.context import Engine, Spec
from mlspec.engine.steps import run_on_target
from mlspec.errors import Exit, MlspecError, may_pass
from mlspec.plan.moments import format_moment
from mlspec.render.dag import dag_file
from tests.engine.world import World
from tests.examples import forecast_spec

# What a trigger rule of Airflow asks of the tasks before (airflow.apache.org, core-concepts/dags, "Trigger Rules").
_RULES: dict[str, Callable[[list[str]], bool]] = {
    "all_success": lambda states: all(state == "success" for state in states),
    "all_done": lambda _states: True,
    "none_failed": lambda states: not any(state in ("failed", "upstream_failed") for state in states),
}


@cache
def tables() -> dict[str, Any]:
    """The constants of a rendered DAG."""
    text = dag_file(forecast_spec(), spec_hash="0" * 64, target="local", file="specs/demand.yaml")
    found: dict[str, Any] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign):
            _assign(node, found)
    return found


def _assign(node: ast.Assign, found: dict[str, Any]) -> None:
    """Note the constants of one line; some are made of others."""
    names = [each.id for each in ast.walk(node.targets[0]) if isinstance(each, ast.Name)]
    try:
        value = eval(compile(ast.Expression(node.value), "dag", "eval"), {"__builtins__": {}}, found)
    except NameError:
        return  # SETTINGS reads the environment
    found |= dict(zip(names, value, strict=True)) if len(names) > 1 else {names[0]: value}


@dataclass
class DagRun:
    """What became of a run: each task's state, its exit code, the facts of its step, and its error."""

    states: dict[str, str] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def is_green(self) -> bool:
        """Whether Airflow shows the run as a success: no task that nothing comes after has failed."""
        before = {name for upstream, _ in tables()["TASKS"].values() for name in upstream}
        return not any(self.states[name] in ("failed", "upstream_failed") for name in self.states if name not in before)


def play(world: World, moment: str | None = None, *, after: Callable[[str], None] = lambda _task: None) -> DagRun:
    """Make one run at the world's present moment, without retries, and return what became of it.

    `moment` is the run's logical date, if it is not the present moment. `after` is called after each task.
    """
    return play_steps(world.engine, world.spec, moment or format_moment(world.now), after=after)


def play_steps(
    engine: Callable[[], Engine], spec: Spec, at: str, *, after: Callable[[str], None] = lambda _task: None
) -> DagRun:
    """Make one run for a moment, each task with an engine of its own."""
    run, dag = DagRun(), tables()
    for task, (before, does) in dag["TASKS"].items():
        states = [run.states[name] for name in before]
        if not _RULES[dag["RULES"].get(task, "all_success")](states):
            run.states[task] = (
                "skipped" if all(state in ("success", "skipped") for state in states) else "upstream_failed"
            )
        elif task in dag["ONLY_AFTER"] and run.codes[before[0]] != dag["ONLY_AFTER"][task]:
            run.states[task] = "skipped"
        else:
            run.codes[task] = _run_task(run, task, does, partial(run_on_target, engine(), spec, moment=at))
        after(task)
    return run


def _run_task(run: DagRun, task: str, does: str, step: Callable[..., Mapping[str, Any]]) -> int:
    """Run one task, note its state, and return its exit code."""
    dag = tables()
    if task in dag["EVENTS"]:
        run.states[task] = "failed"  # it tells, and makes the run red
        return Exit.FAILED
    code = Exit.DONE if does == "publish-alerts" else _step_code(run, task, does, step)
    goes_on = code == Exit.DONE or (code == Exit.NOT_WELL and does in dag["VERDICTS"])
    run.states[task] = "success" if goes_on else "failed"
    return code


def _step_code(run: DagRun, task: str, name: str, step: Callable[..., Mapping[str, Any]]) -> Exit:
    try:
        run.facts[task] = facts = step(step=name)
    except MlspecError as error:
        run.errors[task] = error.message
        return Exit.MAY_PASS if may_pass(error) else Exit.FAILED
    return Exit.DONE if facts["well"] else Exit.NOT_WELL
