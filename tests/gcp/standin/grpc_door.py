"""gRPC's side of the stand-in: finds a method by its path, checks who calls, and answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from typing import Any

import grpc
from google.longrunning import operations_pb2 as lro
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.iam import asked_grpc
from tests.gcp.standin.iam.policies import Need, billed_to
from tests.gcp.standin.identity import Identity
from tests.gcp.standin.journal import Call, Journal, reads
from tests.gcp.standin.refused import CODES, Refused
from tests.gcp.standin.rpcs import Rpc, methods, snake
from tests.gcp.standin.rules import enforcement
from tests.gcp.standin.services.table import GRPC

_LIMITS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
_OPERATIONS = "google.longrunning.Operations"
Answer = Callable[[Cloud, Rpc, Any], Any]


class GrpcDoor(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Everything that arrives over gRPC. `cloud` and `journal` are asked for at each call: a reset makes new ones."""

    def __init__(
        self, identity: Identity, cloud: Callable[[], Cloud], journal: Callable[[], Journal], cut: Callable[[int], None]
    ) -> None:
        self._identity, self._cloud, self._journal, self._cut = identity, cloud, journal, cut
        self._known: dict[str, dict[str, Rpc]] = {}
        self._loading = threading.Lock()

    def start(self, port: str = "127.0.0.1:0") -> int:
        """Return the port on which it listens now."""
        server = grpc.server(futures.ThreadPoolExecutor(32), handlers=[self], options=_LIMITS)
        found = server.add_insecure_port(port)
        server.start()
        self._server = server  # a server that nobody holds stops
        return int(found)

    def service(self, details: Any) -> Any:
        """Return what handles a path; None for a method that does not exist: the server then says UNIMPLEMENTED."""
        service, name = details.method[1:].split("/")
        if service == _OPERATIONS:
            rpc = Rpc(details.method, getattr(lro, f"{name}Request"), None)
            return self._handler(rpc, _operation)
        rpc = self._methods(service).get(details.method)
        answer = self._meaning(rpc) if rpc else None
        return self._handler(rpc, answer) if rpc and answer else None

    def _methods(self, service: str) -> dict[str, Rpc]:
        with self._loading:
            if service in GRPC and service not in self._known:
                self._known[service] = methods(GRPC[service].module, GRPC[service].client)
            return self._known.get(service, {})

    @staticmethod
    def _meaning(rpc: Rpc) -> Answer | None:
        kind = GRPC[rpc.service].load() if rpc.service in GRPC else None
        if hasattr(kind, snake(rpc.name)):
            return lambda cloud, rpc, request: getattr(cloud.service(kind), snake(rpc.name))(rpc, request)
        return standard.method(rpc.name)

    def _handler(self, rpc: Rpc, answer: Answer) -> Any:
        def call(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return self._call(rpc, answer, request, context)
            except Refused as refused:
                context.abort_with_status(_status(refused))

        return grpc.unary_unary_rpc_method_handler(call, rpc.request.FromString, _serialized)

    def _call(self, rpc: Rpc, answer: Answer, request: Any, context: grpc.ServicerContext) -> Any:
        cloud, journal = self._cloud(), self._journal()

        def effect() -> Any:
            headers = dict(context.invocation_metadata())
            email = self._identity.check(headers.get("authorization", ""))
            enforcement.check_enabled(cloud, rpc.service)
            journal.ignored += enforcement.check_call(rpc, request)
            with cloud.lock:
                cloud.operations.tick()
                cloud.iam.caller = email
                owned = cloud.iam.owns(email)
                if not owned:
                    cloud.iam.require(email, [*billed_to(headers), *_needs(cloud, rpc, request)])
                found = answer(cloud, rpc, request)
                if rpc.long_running and not owned:
                    cloud.polling[found.name] = asked_grpc.polling(rpc, request)
                if not callable(found):
                    return _serialized(found)
            return _serialized(found())  # what waits for a program waits without the lock

        def cut() -> None:
            self._cut(int(context.peer().rsplit(":", 1)[1]))

        agent = dict(context.invocation_metadata()).get("x-goog-api-client", "")
        call = Call(rpc.audited, mutating=not reads(rpc.name), agent=agent, asked=repr(request))
        return journal.carry_out(call, effect=effect, cut=cut)


def _needs(cloud: Cloud, rpc: Rpc, request: Any) -> list[Need]:
    if rpc.service == _OPERATIONS:
        if rpc.name == "ListOperations":
            return [asked_grpc.listing(request.name)]
        return [cloud.polling[request.name]] if request.name in cloud.polling else []
    return list(asked_grpc.needs(rpc, request))


def _serialized(message: Any) -> bytes:
    return message if isinstance(message, bytes) else message.SerializeToString()


def _operation(cloud: Cloud, rpc: Rpc, request: Any) -> Any:
    if rpc.name == "ListOperations":
        return lro.ListOperationsResponse(operations=cloud.operations.below(request.name))
    if rpc.name == "DeleteOperation":
        return cloud.operations.delete(request.name)
    found = cloud.operations.get(request.name)
    return Empty() if rpc.name == "CancelOperation" else found


def _status(refused: Refused) -> Any:
    found = status_pb2.Status(code=CODES[refused.code][0], message=refused.message)
    if refused.retry_after is not None:
        delay = Duration(seconds=refused.retry_after)
        found.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
    if refused.service:
        info = error_details_pb2.ErrorInfo(
            reason="SERVICE_DISABLED", domain="googleapis.com", metadata={"service": refused.service}
        )
        found.details.add().Pack(info)
    return rpc_status.to_status(found)
