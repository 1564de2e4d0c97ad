"""The loop's job on Cloud Run: which image it runs, and whether this process still runs the same one.

Terraform creates the job (`infra/reconcile.tf`). A hand-over gives it the image that holds the specs of a commit.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

from mlspec.errors import Superseded, TargetError
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries, poll_until

LOOP_JOB = "mlspec-reconcile"
_SETTLES_IN = 300.0  # seconds: Cloud Run checks that a job's new image exists


class NoLoopJob(TargetError):
    """There is no job of the loop yet."""


class LoopJob:
    """The loop's job of one project and region."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._name = f"projects/{clients.project}/locations/{clients.region}/jobs/{LOOP_JOB}"

    def image(self) -> str:
        """Return the image that the job's next execution runs. Raises TargetError if the job does not exist."""
        return str(_container(self._get_job()).image)

    def set_image(self, image: str) -> None:
        """Let the job run `image` from its next execution on. Executions that run keep theirs.

        Cloud Run replaces the whole job, so what was read is written back under its etag: a change in between is read again.
        Raises TargetError if Cloud Run does not accept the image.
        """

        def replace_image() -> None:
            job = self._get_job()
            if _container(job).image != image:
                _container(job).image = image
                self._clients.jobs.update_job(request={"job": job}, retry=None, timeout=TIMEOUT)

        call_with_retries(replace_image, f"give the job {LOOP_JOB} the image {image}")
        job = poll_until(self._get_job, lambda answer: not answer.reconciling, _SETTLES_IN)
        if job is None or job.terminal_condition.state.name == "CONDITION_FAILED":
            why = "it is still not ready" if job is None else job.terminal_condition.message
            raise TargetError(
                f"the job {LOOP_JOB} cannot run {image}: {why}", hint="push the image, then run the same command again"
            )

    @cached_property
    def own_image(self) -> str | None:
        """The image of this process, if it is a task of the loop's job; an execution keeps the image that it began with."""
        execution = os.environ.get("CLOUD_RUN_EXECUTION")
        if os.environ.get("CLOUD_RUN_JOB") != LOOP_JOB or not execution:
            return None
        name = f"{self._name}/executions/{execution}"
        answer = call_with_retries(
            lambda: self._clients.executions.get_execution(name=name, retry=None, timeout=TIMEOUT), f"look at {name}"
        )
        return str(answer.template.containers[0].image)

    def confirm_own_image(self, forecast: str) -> None:
        """Raise Superseded if this process is a task of the loop's job, and the job was given another image since it began."""
        if self.own_image and (image := self.image()) != self.own_image:
            raise Superseded(
                f"another image was handed over to the loop, so this run leaves '{forecast}' to it: {image}",
                hint="a run with the new image works on the forecast; nothing has to be done",
            )

    def _get_job(self) -> Any:
        from google.api_core.exceptions import NotFound

        try:
            return call_with_retries(
                lambda: self._clients.jobs.get_job(name=self._name, retry=None, timeout=TIMEOUT),
                f"look at the job {LOOP_JOB}",
            )
        except NotFound as error:
            raise NoLoopJob(
                f"the job {LOOP_JOB} does not exist, whose image the steps and servers run",
                hint="apply infra/, which creates it; or set TF_VAR_image and MLSPEC_IMAGE",
            ) from error


def _container(job: Any) -> Any:
    return job.template.template.containers[0]
