"""Renders the Airflow DAG of a resolved spec: one Python file that imports only `airflow.sdk` at its top.

Every text of the spec is a Python literal in a table of constants and is never a task's argument, so Airflow's own Jinja does
not process it.
"""

from __future__ import annotations

from pathlib import Path

from mlspec.render.environment import jinja_environment
from mlspec.spec.forecast import Forecast
from mlspec.spec.gcp.resource_names import derived_names

_TIMEOUT = 6 * 3600  # seconds for one step, as in the Cloud Run job
_RUN_TIMEOUT = 24 * 3600
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
        "elsewhere": _remote_steps(spec),
        "timezone": schedule.timezone,
        "crons": sorted({cron for cron in (schedule.forecast, schedule.retrain) if cron}),
        "timeout_seconds": _TIMEOUT,
        "run_timeout_seconds": _RUN_TIMEOUT,
    }
    return jinja_environment(own).get_template("airflow/dag.py.j2").render(facts)


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
