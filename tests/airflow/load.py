"""Run by Airflow's own Python: loads a folder of DAGs as the DAG processor does, and prints what it found as JSON."""

import contextlib
import io
import json
import sys
from pathlib import Path

import structlog
from airflow.timetables.base import TimeRestriction
from pendulum import datetime

try:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.encoders import coerce_to_core_timetable
except ImportError:  # Airflow 3.1
    from airflow.models.dagbag import DagBag

    def coerce_to_core_timetable(timetable):
        return timetable


def first_run(dag):
    """Return a DAG's first run of 2026 as the scheduler makes it: its logical date, and the ends of its interval."""
    restriction = TimeRestriction(earliest=datetime(2026, 1, 1), latest=None, catchup=True)
    timetable = coerce_to_core_timetable(dag.timetable)
    run = timetable.next_dagrun_info(last_automated_data_interval=None, restriction=restriction)
    return run and [at.in_timezone("UTC").isoformat() for at in (run.logical_date, *run.data_interval)]


# What a person may ask for as the date of a run, and what not.
DATES = (
    None, "2026-02-01", "2026-02-01T06:00:00Z", "2026-02-01T06:00:00.5+02:00",
    "2026-02-30", "2026-13-01", "2026-02-01T06:00", "soon", "", 5,
)  # fmt: skip


def accepts(param, value):
    """Return whether Airflow lets a run begin with a value. None is the default, which is checked when a DAG is loaded."""
    return param.resolve(value, suppress_exception=True) == value


def told_late(dag):
    """Return what a DAG says of a run that missed its deadline: its callback is called as an executor of Airflow 3.3 does it."""
    from airflow.sdk.execution_time.callback_supervisor import execute_callback

    (alert,) = dag.deadline
    run = {"logical_date": "2026-01-05T09:00:00Z", "run_after": "2026-01-05T09:00:00Z"}
    file = Path(dag.fileloc)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        done, problem = execute_callback(
            alert.callback.path, {"context": {"dag_run": run}}, file.name, file.parent, structlog.get_logger()
        )
    assert done, problem
    (event,) = [json.loads(line) for line in out.getvalue().splitlines() if line.startswith("{")]
    return [alert.interval.total_seconds(), event]


def said(dag):
    """Return what a reader of Airflow's pages would see of a DAG."""
    tasks = {task.task_id: task for task in dag.tasks}
    return {
        "tags": sorted(dag.tags),
        "doc": dag.doc_md,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "timetable": type(dag.timetable).__name__,
        "zone": str(dag.timezone),
        "first_run": first_run(dag),
        "dates": [[text, accepts(dag.params.get_param("at"), text)] for text in DATES],
        "late": told_late(dag) if dag.deadline else None,
        "assets": {name: [asset.uri for asset in task.outlets] for name, task in tasks.items() if task.outlets},
        "pools": sorted({task.pool for task in tasks.values()}),
        "undocumented": sorted(name for name, task in tasks.items() if not task.doc_md),
        "after": {name: sorted(task.downstream_task_ids) for name, task in tasks.items()},
        "owner": sorted({task.owner for task in tasks.values()}),
        "retries": sorted({task.retries for task in tasks.values()}),
        "backoff": sorted({bool(task.retry_exponential_backoff) for task in tasks.values()}),
        "timeouts": sorted({task.execution_timeout.total_seconds() for task in tasks.values()}),
        "callbacks": sorted({bool(task.on_failure_callback) for task in tasks.values()}),
        # What Airflow would render with Jinja before a task runs.
        "templated": sorted({field for task in tasks.values() for field in task.template_fields}),
    }


bag = DagBag(dag_folder=sys.argv[1])
with Path(sys.argv[2]).open("w", encoding="utf-8") as stream:
    json.dump({"errors": bag.import_errors, "dags": {name: said(dag) for name, dag in bag.dags.items()}}, stream)
