"""Starts a Cloud Run job at most once: an execution that is already running is found, and not started again.

Before a start, Cloud Run's list of executions is searched by the arguments. So an execution is not started twice, even if the
answer to its start was lost or the process that started it was killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from mlspec.errors import TargetError
from mlspec.spec.escaping import log_filter
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.failure_log import JobEnd, since_filter
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries

Answer = TypeVar("Answer")

_LABEL = "run.googleapis.com/execution_name"
_PAGE = 100  # the number of newest executions to search for a running one


class JobExecutions:
    """The executions of one job, by its id."""

    def __init__(self, clients: Clients, job: str) -> None:
        self._clients, self._job = clients, job
        self._name = f"projects/{clients.project}/locations/{clients.region}/jobs/{job}"

    @classmethod
    def of_execution(cls, clients: Clients, execution: str) -> JobExecutions:
        """Return the executions of the job that an execution belongs to."""
        return cls(clients, execution.split("/jobs/")[1].partition("/")[0])

    def start_job(self, arguments: Sequence[str], tasks: int = 1) -> None:
        """Start tasks of the job with these arguments and do not wait for them. Raises TargetError if the job does not exist.

        If the answer to a start is lost, the job may start twice. Use it only for an idempotent job.
        """
        self._call_with_retries(lambda: self._run_job(arguments, tasks))

    def start_once(self, arguments: Sequence[str], mark: str, is_done: Callable[[], bool]) -> str | None:
        """Return the running execution that has `mark` among its arguments; if there is none, start one with `arguments`.

        Return None if `is_done` returns true, that is, an earlier execution has finished. It is called only after no running
        execution was found, so that one that ends in between is not missed. Raises TargetError if the job does not exist.
        """

        def find_or_start() -> str | None:
            running = self._find_running(mark)
            if running or is_done():
                return running
            return str(self._run_job(arguments).metadata.name)

        return self._call_with_retries(find_or_start)

    def is_over(self, execution: str) -> bool:
        """Return whether an execution has ended or was deleted."""
        from google.api_core.exceptions import NotFound

        try:
            return bool(self._get_execution(execution).completion_time)
        except NotFound:
            return True

    def cancel(self, execution: str) -> None:
        """Ask for the end of an execution, if it runs."""
        from google.api_core.exceptions import FailedPrecondition, NotFound

        def cancel_running() -> None:
            with suppress(FailedPrecondition):  # it has ended
                self._clients.executions.cancel_execution(name=execution, retry=None, timeout=TIMEOUT)

        with suppress(NotFound):
            call_with_retries(cancel_running, f"cancel {execution}")

    def describe_end(self, execution: str) -> JobEnd:
        """Return Cloud Run's reason for an execution's end, and the filter of its log.

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

    def _run_job(self, arguments: Sequence[str], tasks: int = 1) -> Any:
        overrides = {"container_overrides": [{"args": list(arguments)}], "task_count": tasks}
        request = {"name": self._name, "overrides": overrides}
        return self._clients.jobs.run_job(request=request, retry=None, timeout=TIMEOUT)

    def _call_with_retries(self, call: Callable[[], Answer]) -> Answer:
        from google.api_core.exceptions import NotFound

        try:
            return call_with_retries(call, f"start the job {self._job}")
        except NotFound as error:
            raise TargetError(
                f"the job {self._name} does not exist",
                hint="`mlspec apply` creates a forecast's job, infra/ the loop's job",
            ) from error


class RecentExecutions:
    """The executions of all jobs, listed page by page, the newest first, until those that were asked for are found."""

    def __init__(self, clients: Clients) -> None:
        parent = f"projects/{clients.project}/locations/{clients.region}/jobs/-"
        self._clients, self._request = clients, {"parent": parent, "page_size": _PAGE}
        self._over: dict[str, bool] = {}
        self._is_complete = False

    def is_over(self, execution: str) -> bool:
        """Return whether an execution has ended or was deleted."""
        while execution not in self._over and not self._is_complete:
            self._list_more()
        return self._over.get(execution, True)

    def _list_more(self) -> None:
        def list_page() -> Any:
            pages = self._clients.executions.list_executions(request=self._request, retry=None, timeout=TIMEOUT).pages
            return next(iter(pages))

        page = call_with_retries(list_page, "list the executions of all jobs")
        self._over |= {str(execution.name): bool(execution.completion_time) for execution in page.executions}
        self._request = {**self._request, "page_token": page.next_page_token}
        self._is_complete = not page.next_page_token
