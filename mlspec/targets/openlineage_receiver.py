"""Sends lineage events by OpenLineage's own client, where the person who runs mlspec has configured it.

The client reads its configuration: OPENLINEAGE_URL and its other variables, or `openlineage.yml`
(openlineage.io/docs/client/python). A receiver that is down or slow stops no run: each event has a few seconds, and after the
first that could not be sent no more are tried in this process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlspec import __version__
from mlspec.errors import MissingExtra
from mlspec.log_context import without_known_secrets
from mlspec.state.lineage_event import LineageEvent, LineageReporter

logger = logging.getLogger(__name__)
_PATIENCE = 5.0  # seconds that an event may take
_PRODUCER = f"https://pypi.org/project/mlspec-forecast/{__version__}"


def open_reporter(environ: Mapping[str, str]) -> LineageReporter | None:
    """Return what sends events, or None where OpenLineage is not configured. Imports nothing yet."""
    return OpenLineageReceiver() if _is_configured(environ) else None


def _is_configured(environ: Mapping[str, str]) -> bool:
    if environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    if any(environ.get(name) for name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")):
        return True
    if any(name.startswith("OPENLINEAGE__TRANSPORT") for name in environ):
        return True
    places = (Path("openlineage.yml"), Path(environ.get("HOME", "/"), ".openlineage", "openlineage.yml"))
    return any(place.is_file() for place in places)


class OpenLineageReceiver:
    """A receiver of events that is given up after the first one that it does not take."""

    def __init__(self, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._client: Any = None
        self._given_up = False

    def __call__(self, event: LineageEvent) -> None:
        """Send an event, and wait a few seconds for it. Raises nothing: what cannot be sent is a warning in the log, once."""
        problem = None if self._given_up else self._try_to_send(event)
        if problem is not None:
            self._given_up = True
            logger.warning(
                "OpenLineage did not take an event, and this process sends no more: %s. The run goes on", problem,
                extra={"forecast": event.job.rpartition(".")[0]},
            )  # fmt: skip

    def _try_to_send(self, event: LineageEvent) -> str | None:
        """Send an event; return why it was not taken, or None. Only the sending has a deadline: an import may take longer."""
        try:
            self._client = self._client or _open_client()
            sent = _client_event(event)
        except MissingExtra as error:
            return f"{error.message}; {error.hint}"
        except Exception as error:
            logger.debug("OpenLineage's client cannot be used", exc_info=error)
            return _first_line(error)
        problem = [f"no answer within {self._patience:g} s"]
        sending = threading.Thread(target=self._send, args=(sent, problem), name="openlineage", daemon=True)
        sending.start()
        sending.join(self._patience)
        return problem[0] if problem else None

    def _send(self, event: Any, problem: list[str]) -> None:
        """Send an event in a thread of its own, and empty `problem` when it was taken."""
        try:
            self._client.emit(event)
        except Exception as error:
            logger.debug("OpenLineage did not take an event", exc_info=error)
            problem[0] = _first_line(error)
        else:
            problem.clear()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _open_client() -> Any:
    try:
        from openlineage.client import OpenLineageClient
    except ImportError as error:
        raise MissingExtra("openlineage-python", "openlineage") from error
    return OpenLineageClient()


def _client_event(event: LineageEvent) -> Any:
    """Return an event as the client has it."""
    from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
    from openlineage.client.facet_v2 import error_message_run, job_type_job

    kind = job_type_job.JobTypeJobFacet(
        processingType="BATCH", integration="MLSPEC", jobType="STEP", producer=_PRODUCER
    )
    failed = error_message_run.ErrorMessageRunFacet(
        message=without_known_secrets(event.error or ""), programmingLanguage="PYTHON", producer=_PRODUCER
    )
    return RunEvent(
        eventType=RunState[event.state],
        eventTime=event.at,
        run=Run(event.run, facets={"errorMessage": failed} if event.error is not None else {}),
        job=Job("mlspec", event.job, facets={"jobType": kind}),
        inputs=[InputDataset(one.namespace, one.name) for one in event.inputs],
        outputs=[OutputDataset(one.namespace, one.name) for one in event.outputs],
        producer=_PRODUCER,
    )
