"""Long-running operations of Vertex AI: started once, recorded by the caller, and asked for later.

An operation whose name was lost is found among those of its resource. So nothing is deployed or uploaded twice, even if the answer
to its start was lost, or the process that started it was killed
(https://cloud.google.com/vertex-ai/docs/general/long-running-operations).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from mlspec.errors import WorkUnderWay
from mlspec.state.ledger import StartedWork, WorkKind
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries, explain_google_errors

LIMIT = 3600.0  # seconds: to allocate a machine, pull the image and load the model takes minutes
FindStarted = Callable[[str], StartedWork | None]


def nothing_started(_mark: str) -> None:
    """Return None: nothing is recorded as running."""


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations of one resource of Vertex AI. `client` is the client of its service; `find_started` knows what is recorded."""

    client: Any
    parent: str
    kind: WorkKind
    find_started: FindStarted

    def start_or_raise(self, mark: str, what: str, start: Callable[[], Any]) -> None:
        """Start an operation, unless the recorded one of this mark, or any other of this resource, still runs.

        `what` says what it does, as in "deploy v1". Raises WorkUnderWay while one runs, and TargetError if the recorded one has
        failed. Returns if it has ended well. Of another one, such as an undeployment, the end says nothing about this work: it is
        awaited under a mark of its own, and then the caller looks again.
        """
        known = self.find_started(mark)
        operation = self._find(known.name) if known else None
        if operation is None:
            if (other := self._find_running()) is not None:
                self._raise_unless_done(other, other.name, what)
            operation = start()
        self._raise_unless_done(operation, mark, what)

    def wait_for_running(self, mark: str, what: str) -> None:
        """Raise WorkUnderWay while any operation of this resource runs."""
        if (operation := self._find_running()) is not None:
            self._raise_unless_done(operation, mark, what)

    def wait_for_others(self, marks: Collection[str], what: str) -> None:
        """Raise WorkUnderWay while an operation of this resource runs that is not recorded under one of `marks`."""
        other = self._find_running()
        own = {known.name for mark in marks if (known := self.find_started(mark))}
        if other is not None and other.name not in own:
            self._raise_unless_done(other, other.name, what)

    def is_any_running(self) -> bool:
        """Return whether any operation of this resource runs."""
        return self._find_running() is not None

    def _raise_unless_done(self, operation: Any, mark: str, what: str) -> None:
        """Raise WorkUnderWay while an operation runs. Its failure is a TargetError, so that it is not tried again at once."""
        from google.api_core.exceptions import from_grpc_status

        if not operation.done:
            raise WorkUnderWay(kind=self.kind, name=operation.name, mark=mark, what=what, limit=LIMIT)
        if operation.HasField("error"):
            with explain_google_errors(what):
                raise from_grpc_status(operation.error.code, operation.error.message)

    def _find(self, name: str) -> Any | None:
        return find_operation(self.client, name)

    def _find_running(self) -> Any | None:
        """Return an operation of this resource that has not ended; None if there is none."""
        from google.api_core.exceptions import NotFound

        try:
            answer = call_with_retries(
                lambda: self.client.list_operations(request={"name": self.parent}, retry=None, timeout=TIMEOUT),
                f"list the operations of {self.parent}",
            )
        except NotFound:
            return None  # the resource is to be made
        return next((operation for operation in answer.operations if not operation.done), None)


def find_operation(client: Any, name: str) -> Any | None:
    """Return an operation; None if it is forgotten, as it is some time after its end."""
    from google.api_core.exceptions import NotFound

    try:
        return call_with_retries(
            lambda: client.get_operation(request={"name": name}, retry=None, timeout=TIMEOUT), f"look at {name}"
        )
    except NotFound:
        return None


def is_operation_over(client: Any, name: str) -> bool:
    """Return whether an operation has ended, well or not, or is forgotten."""
    operation = find_operation(client, name)
    return operation is None or bool(operation.done)
