"""Renders the Airflow DAG of a resolved spec: one Python file that imports only `airflow.sdk` at its top.

Every text of the spec is a Python literal in a table of constants and is never a task's argument, so Airflow's own Jinja does
not process it. The text loads in every Airflow from 3.1 on: what a version lacks, the file looks for itself.
"""

from __future__ import annotations

from pathlib import Path

from mlspec.render.environment import jinja_environment
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.resource_names import derived_names
from mlspec.state.pass_steps import PASS_STEPS, RunsAfter, pass_step

_TIMEOUT = 6 * 3600  # seconds for one step, as in the Cloud Run job
_RUN_TIMEOUT = 24 * 3600
# Seconds that a step waits for a run that holds the forecast's lock: a pass may train for hours. The rest of the step's time is for
# its own work.
_LOCK_TIMEOUT = _TIMEOUT // 2
_TRIGGER_RULES: dict[RunsAfter, str] = {"success": "all_success", "any end": "all_done", "no failure": "none_failed"}
# Tasks that are no steps of a pass: the task, the step whose verdict it tells, and what it does.
_TOLD = (("alert", "evaluate", "publish-alerts"), ("kept_out", "gate", "gate-closed"))
_RELEASE_DIGITS = 12
_LONGEST_TAG = 100  # Airflow's own limit


def dag_file(spec: Forecast, *, spec_hash: str, target: str, file: str, own: Path | None = None) -> str:
    """Return the text of one forecast's DAG. `file` is its spec, relative to the project's root; `spec_hash` its digest."""
    metadata, names = spec.metadata, derived_names(spec.metadata.name)
    schedule = spec.schedule
    facts = {
        "name": metadata.name,
        "target": target,
        "dag_id": names["Airflow DAG"],
        "job": names["Cloud Run job"],
        "release": release_id(spec_hash),
        "file": file,
        "owner": metadata.owner or "mlspec",
        "description": metadata.description,
        "tags": [tag[:_LONGEST_TAG] for tag in ("mlspec", metadata.name, f"target:{target}")],
        "tasks": _tasks(),
        "rules": {step.task: _TRIGGER_RULES[step.runs] for step in PASS_STEPS if step.runs != "success"},
        "acting": [step.name for step in PASS_STEPS if step.acts],
        "elsewhere": _remote_steps(spec),
        "timezone": schedule.timezone,
        "crons": sorted({cron for cron in (schedule.forecast, schedule.retrain) if cron}),
        "deadline_seconds": int(schedule.deadline.total_seconds()) if schedule.deadline else 0,
        "timeout_seconds": _TIMEOUT,
        "lock_seconds": _LOCK_TIMEOUT,
        "run_timeout_seconds": _RUN_TIMEOUT,
    }
    return jinja_environment(own).get_template("airflow/dag.py.j2").render(facts)


def _tasks() -> list[tuple[str, list[str], str]]:
    """Return each task with the tasks before it, and what it does: the steps of a pass, and what is told of a verdict."""
    tasks: list[tuple[str, list[str], str]] = []
    for step in PASS_STEPS:
        tasks.append((step.task, [pass_step(name).task for name in step.after], step.name))
        tasks += [(task, [step.task], does) for task, name, does in _TOLD if name == step.name]
    return tasks


def _remote_steps(spec: Forecast) -> list[str]:
    """Return the steps that start a job on a separate machine."""
    heavy = ["backtest", "train"] if spec.training.machine else []
    return [*heavy, *(["forecast"] if spec.deployment.batch_machine else [])]


def dag_name(spec: Forecast) -> str:
    """Return the name of the DAG's file."""
    return f"{derived_names(spec.metadata.name)['Airflow DAG']}.py"


def release_id(spec_hash: str) -> str:
    """Return the id that ties a DAG to the spec it was rendered from."""
    return spec_hash[:_RELEASE_DIGITS]
