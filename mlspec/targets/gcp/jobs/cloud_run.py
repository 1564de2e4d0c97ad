"""Executions of one job on Cloud Run: begun once, found again by whoever comes after, and waited for.

Cloud Run's own list is what cannot be lost between a start and a note of it: an execution is looked for by its words before another
is begun, so one whose start was never answered, or whose starter was killed, is waited for, and not made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from mlspec.errors import TargetError
from mlspec.spec.escaping import log_filter
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.failure_log import JobEnd, since_filter
from mlspec.targets.gcp.retry import LONG, TIMEOUT, call_with_retries, poll_until

Answer = TypeVar("Answer")

_LABEL = "run.googleapis.com/execution_name"
_PAGE = 100  # the newest executions, among which is one that still runs


class JobExecutions:
    """The executions of one job, by its id."""

    def __init__(self, clients: Clients, job: str) -> None:
        self._clients, self._job = clients, job
        self._name = f"projects/{clients.project}/locations/{clients.region}/jobs/{job}"

    def start_job(self, arguments: Sequence[str]) -> None:
        """Start the job with these words, and wait for nothing. Raises TargetError where there is no such job.

        A start whose answer was lost may be made twice: for a job that finds out what was done, and does nothing twice.
        """
        self._call_with_retries(lambda: self._run_job(arguments))

    def start_once(self, arguments: Sequence[str], mark: str, is_done: Callable[[], bool]) -> str | None:
        """Return the execution that runs with `mark` among its words, started with `words` where none does.

        None where `done` says that one has ended meanwhile: it is asked once nothing runs, so that nothing slips through between
        the two. Raises TargetError where there is no such job.
        """

        def find_or_start() -> str | None:
            running = self._find_running(mark)
            if running or is_done():
                return running
            return str(self._run_job(arguments).metadata.name)

        return self._call_with_retries(find_or_start)

    def wait_until_done(self, execution: str) -> bool:
        """Wait until an execution ended, well or not, or is gone; return False where it still runs after LONG."""
        from google.api_core.exceptions import NotFound

        def look() -> Any:
            return self._get_execution(execution)

        try:
            return poll_until(look, lambda answer: bool(answer.completion_time), LONG) is not None
        except NotFound:
            return True

    def describe_end(self, execution: str) -> JobEnd:
        """Return why an execution ended, as Cloud Run says it, and the filter of its log.

        Source: https://cloud.google.com/run/docs/logging.
        """
        from google.api_core.exceptions import NotFound

        log = f'resource.type="cloud_run_job" AND labels."{_LABEL}"={log_filter(execution.rpartition("/")[2])}'
        try:
            answer = self._get_execution(execution)
        except (NotFound, TargetError):
            return JobEnd(log)
        reasons = [condition.message for condition in answer.conditions if condition.type_ == "Completed"]
        return JobEnd(log + since_filter(answer.create_time), *reasons[:1])

    def _get_execution(self, name: str) -> Any:
        return call_with_retries(
            lambda: self._clients.executions.get_execution(name=name, retry=None, timeout=TIMEOUT), f"look at {name}"
        )

    def _find_running(self, mark: str) -> str | None:
        request = {"parent": self._name, "page_size": _PAGE}
        pages = self._clients.executions.list_executions(request=request, retry=None, timeout=TIMEOUT).pages
        running = (execution for execution in next(iter(pages)).executions if not execution.completion_time)
        return next(
            (str(execution.name) for execution in running if mark in execution.template.containers[0].args), None
        )

    def _run_job(self, arguments: Sequence[str]) -> Any:
        request = {"name": self._name, "overrides": {"container_overrides": [{"args": list(arguments)}]}}
        return self._clients.jobs.run_job(request=request, retry=None, timeout=TIMEOUT)

    def _call_with_retries(self, call: Callable[[], Answer]) -> Answer:
        from google.api_core.exceptions import NotFound

        try:
            return call_with_retries(call, f"start the job {self._job}")
        except NotFound as error:
            raise TargetError(
                f"there is no job {self._name}", hint="`mlspec apply` makes a forecast's own, infra/ the loop's"
            ) from error
