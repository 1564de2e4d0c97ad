"""Asks whether long work has ended: one by one, or in a session by a list call for all work of a kind.

So a pass over many forecasts that wait makes few calls. An operation of Vertex AI has no list over all resources. In a session,
from FEW operations on, a deployment is asked for where the list of endpoints shows it, and else by chance, so that a failed one is
found within a few passes.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlspec.errors import TargetError
from mlspec.state.ledger import StartedWork
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.jobs.cloud_run import JobExecutions, RecentExecutions
from mlspec.targets.gcp.jobs.vertex_jobs import JobKind, VertexJobs
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries
from mlspec.targets.gcp.vertex.operations import is_operation_over

logger = logging.getLogger(__name__)
FEW = 8
_ONE_OF = 4
_JOBS: dict[str, JobKind] = {"custom-job": "custom_job", "batch-prediction": "batch_prediction_job"}
_PAGE = 100


@dataclass
class _Session:
    """What one session has listed so far."""

    executions: RecentExecutions | None = None
    running: dict[JobKind, frozenset[str]] = field(default_factory=dict)
    deployed: frozenset[str] | None = None
    asked: int = 0
    unanswered: set[str] = field(default_factory=set)
    """The kinds of work that could not be asked for: an outage is waited for once, not once for each forecast."""


class WorkWatch:
    """The long work of one project and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._session: _Session | None = None

    @contextmanager
    def session(self) -> Iterator[None]:
        """List all work of a kind once per block."""
        before, self._session = self._session, _Session()
        try:
            yield
        finally:
            self._session = before

    def is_over(self, started: StartedWork) -> bool:
        """Return whether work has ended, well or not. What cannot be asked for is taken to run: a later pass asks again."""
        if self._session is not None and started.kind in self._session.unanswered:
            return False
        try:
            return self._ask(started)
        except TargetError as error:
            logger.warning("cannot tell whether %s has ended: %s", started.name, error.message)
            if self._session is not None:
                self._session.unanswered.add(started.kind)
            return False

    def _ask(self, started: StartedWork) -> bool:
        if started.kind == "execution":
            return self._is_execution_over(started.name)
        if job_kind := _JOBS.get(started.kind):
            return self._is_job_over(job_kind, started.name)
        return self._is_worth_asking(started) and is_operation_over(self._client_of(started), started.name)

    def cancel(self, started: StartedWork) -> None:
        """Ask the service to end work."""
        if started.kind == "execution":
            JobExecutions.of_execution(self._clients, started.name).cancel(started.name)
        elif job_kind := _JOBS.get(started.kind):
            VertexJobs(self._clients, job_kind).cancel_job(started.name)
        else:
            client, request = self._client_of(started), {"name": started.name}
            call_with_retries(
                lambda: client.cancel_operation(request=request, retry=None, timeout=TIMEOUT), f"cancel {started.name}"
            )

    def _is_execution_over(self, name: str) -> bool:
        if self._session is None:
            return JobExecutions.of_execution(self._clients, name).is_over(name)
        if self._session.executions is None:
            self._session.executions = RecentExecutions(self._clients)
        return self._session.executions.is_over(name)

    def _is_job_over(self, kind: JobKind, name: str) -> bool:
        jobs = VertexJobs(self._clients, kind)
        if self._session is None:
            return jobs.is_over(name)
        if kind not in self._session.running:
            self._session.running[kind] = jobs.list_running()
        return name not in self._session.running[kind]

    def _is_worth_asking(self, started: StartedWork) -> bool:
        if self._session is None:
            return True
        self._session.asked += 1
        if self._session.asked <= FEW or started.kind != "deployment":
            return True
        if self._session.deployed is None:
            self._session.deployed = self._list_deployed()
        return started.mark.rpartition(" ")[2] in self._session.deployed or random.sample(range(_ONE_OF), 1) == [0]

    def _list_deployed(self) -> frozenset[str]:
        """Return the ids of all deployments. Makes one list call per hundred endpoints."""
        parent = f"projects/{self._clients.project}/locations/{self._clients.region}"
        request = {"parent": parent, "page_size": _PAGE}
        endpoints = call_with_retries(
            lambda: list(self._clients.endpoints.list_endpoints(request=request, retry=None, timeout=TIMEOUT)),
            "list the endpoints",
        )
        return frozenset(str(deployed.id) for endpoint in endpoints for deployed in endpoint.deployed_models)

    def _client_of(self, started: StartedWork) -> Any:
        return self._clients.endpoints if started.kind == "deployment" else self._clients.models
