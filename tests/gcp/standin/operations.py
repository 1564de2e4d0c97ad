"""Long-running operations: accepted at once, done a little later, as the deploys and uploads of Google are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.longrunning.operations_pb2 import Operation
from google.protobuf.empty_pb2 import Empty

from tests.gcp.standin.refused import Refused, not_found

if TYPE_CHECKING:
    from tests.gcp.standin.cloud import Cloud


@dataclass
class _Pending:
    message: Operation
    land: Callable[[], Any]
    ready: Callable[[], bool]


class Operations:
    """What was accepted and is not yet done. What it does is done when it lands, and what it then finds may refuse it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._all: dict[str, _Pending] = {}

    def start(
        self, parent: str, land: Callable[[], Any], *, method: str = "", metadata: Any = None,
        ready: Callable[[], bool] | None = None,
    ) -> Operation:  # fmt: skip
        """Return an operation that lands after as many calls, or as much time for its method, as the settings say.

        Or when `ready` says so.
        """
        message = Operation(name=f"{parent}/operations/{self._cloud.next_id()}")
        if metadata is not None:
            message.metadata.Pack(metadata)
        pending = _Pending(message, land, ready or self._timer(method) or self._countdown())
        self._all[message.name] = pending
        if self._cloud.settings.operations_take == 0:
            self._settle(pending)
        return message

    def _timer(self, method: str) -> Callable[[], bool] | None:
        at = self._cloud.due(method)
        return (lambda: self._cloud.now() >= at) if at else None

    def _countdown(self) -> Callable[[], bool]:
        left = self._cloud.settings.operations_take

        def ready() -> bool:
            nonlocal left
            left -= 1
            return left <= 0

        return ready

    def tick(self) -> None:
        """Let a call's worth of time go by: what is ready lands."""
        for pending in list(self._all.values()):
            if not pending.message.done:
                self._settle(pending)

    def _settle(self, pending: _Pending) -> None:
        if pending.ready():
            message = pending.message
            message.done = True
            try:
                message.response.Pack(pending.land())
            except Refused as refused:
                message.error.code, message.error.message = refused.number, refused.message

    def under_way(self) -> bool:
        """Say whether one is not done."""
        return not all(each.message.done for each in self._all.values())

    def get(self, name: str) -> Operation:
        """Return an operation as it stands. Raises Refused."""
        if name not in self._all:
            raise not_found(name)
        return self._all[name].message

    def below(self, parent: str) -> list[Operation]:
        """Return the operations of a parent."""
        return [each.message for name, each in self._all.items() if name.startswith(f"{parent}/operations/")]

    def delete(self, name: str) -> Empty:
        """Forget a finished operation."""
        if self.get(name).done:
            del self._all[name]
        return Empty()
