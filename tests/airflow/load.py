"""Run by Airflow's own Python: loads a folder of DAGs as the DAG processor does, and prints what it found as JSON."""

import json
import sys
from pathlib import Path

from airflow.dag_processing.dagbag import DagBag


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
