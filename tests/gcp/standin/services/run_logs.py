"""What Cloud Run writes to the log of an execution: the container's own lines, and how it ended."""

from __future__ import annotations

from typing import Any

from google.cloud.logging_v2.types import LogEntry
from google.logging.type.log_severity_pb2 import LogSeverity

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.commands import Run
from tests.gcp.standin.services.logs import Logs


def why(run: Run, *, late: bool) -> str:
    """Return why a task's last run failed, as an execution's condition says it."""
    if late:
        return "The configured timeout was reached."
    return "The configured memory limit was reached." if run.killed else "The container exited with an error."


def tell(cloud: Cloud, execution: Any, run: Run, *, late: bool) -> None:
    """Write the lines of a run that is over, without a severity of their own, then Cloud Run's word on its end.

    Source: cloud.google.com/run/docs/logging: resource `cloud_run_job`, the execution as a label.
    """
    logs, origin = cloud.service(Logs), _origin(execution)
    project = execution.name.split("/")[1]
    for stream, lines in zip(("stdout", "stderr"), run.lines, strict=True):
        for line in lines:
            logs.wrote(f"projects/{project}/logs/run.googleapis.com%2F{stream}", origin, line)
    level, word = _end(execution, run, late=late)
    origin.severity = LogSeverity.Value(level)
    logs.wrote(f"projects/{project}/logs/run.googleapis.com%2Fvarlog%2Fsystem", origin, word)


def _origin(execution: Any) -> Any:
    _, project, _, location, _, job, _, name = execution.name.split("/")
    entry = LogEntry.pb()()
    entry.resource.type = "cloud_run_job"
    entry.resource.labels.update(project_id=project, location=location, job_name=job)
    entry.labels["run.googleapis.com/execution_name"] = name
    return entry


def _end(execution: Any, run: Run, *, late: bool) -> tuple[str, str]:
    if late:
        allowed = execution.template.timeout.ToSeconds()
        return "ERROR", f"Terminating task because it has reached the maximum timeout of {allowed} seconds."
    if run.killed:
        limit = execution.template.containers[0].resources.limits.get("memory", "512Mi")
        return "ERROR", f"Memory limit of {limit} exceeded. Consider increasing the memory limit."
    return "INFO" if run.succeeded else "WARNING", f"Container called exit({run.exit_code})."
