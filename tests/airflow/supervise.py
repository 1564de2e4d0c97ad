"""Run by Airflow's own Python: runs one task as a worker does, under the supervisor that makes its log.

Words: the DAG's file below the folder of DAGs, the DAG, the task, the file for the log and, where a person stops the task, the
words in its log after which that is. Ends with the task's exit code. Airflow's server is not there: its answers are made here,
and nobody keeps what a task tells it.
"""

import sys
from pathlib import Path
from uuid import uuid4

import httpx
from airflow.sdk.api.client import Client
from airflow.sdk.api.datamodels._generated import BundleInfo, DagRun, TaskInstance

try:
    from airflow.sdk.execution_time.supervisor import supervise_task
except ImportError:  # Airflow 3.1
    from airflow.sdk.execution_time.supervisor import supervise as supervise_task

DAY = "2026-01-05T00:00:00Z"
file, dag, task, log, *stop_after = sys.argv[1:]
RUN = {
    "dag_id": dag, "run_id": "test", "run_type": "manual", "state": "running", "logical_date": DAY, "run_after": DAY,
    "start_date": DAY, "end_date": None, "data_interval_start": DAY, "data_interval_end": DAY, "consumed_asset_events": [],
    "partition_key": None,
}  # fmt: skip


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the server does: a task that begins is told of its run."""
    if request.url.path.endswith("/run"):
        run = {key: value for key, value in RUN.items() if key in DagRun.model_fields}
        return httpx.Response(200, json={"dag_run": run, "max_tries": 0, "should_retry": False})
    if request.url.path.endswith("/heartbeat") and any(words in Path(log).read_text() for words in stop_after):
        state = {"reason": "not_running", "message": "somebody marked it failed", "current_state": "failed"}
        return httpx.Response(409, json={"detail": state})
    return httpx.Response(200, json={"text": "noted"})


instance = TaskInstance(
    id=uuid4(), task_id=task, dag_id=dag, run_id="test", try_number=1, dag_version_id=uuid4(), map_index=-1
)
sys.exit(
    supervise_task(
        ti=instance,
        bundle_info=BundleInfo(name="dags-folder", version=None),
        dag_rel_path=file,
        token="",
        client=Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(answer)),
        log_path=log,
    )
)
