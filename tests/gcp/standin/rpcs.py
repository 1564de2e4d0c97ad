"""The methods of a gRPC service, with their messages, as the installed client itself would call them.

Nothing of Google's surface is written down here: a client's transport is asked for all its stubs on a channel that records.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2


@dataclass(frozen=True)
class Rpc:
    """One unary method: `/google.x.v1.Service/Method` and the plain protobuf classes of its two messages."""

    path: str
    request: Any
    response: Any

    @property
    def service(self) -> str:
        """The service's full name."""
        return self.path[1:].split("/")[0]

    @property
    def name(self) -> str:
        """The method's own name, as in `GetModel`."""
        return self.path.rsplit("/", 1)[1]

    @property
    def audited(self) -> str:
        """The name under which Google's audit log would keep a call."""
        return f"{self.service}.{self.name}"

    @property
    def long_running(self) -> bool:
        """Whether it answers with an operation."""
        return self.response is operations_pb2.Operation


class _Recorder(grpc.Channel):
    def __init__(self) -> None:
        self.found: dict[str, tuple[Callable[..., Any], Any]] = {}

    def unary_unary(
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Any:
        self.found[method] = (request_serializer, response_deserializer)
        return lambda *_args, **_kwargs: None

    def _other(self, *_args: Any, **_kwargs: Any) -> Any:
        return lambda *_args, **_kwargs: None

    unary_stream = stream_unary = stream_stream = subscribe = unsubscribe = _other

    def close(self) -> None:
        pass

    def __enter__(self) -> _Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def methods(module: str, client: str) -> dict[str, Rpc]:
    """Return every unary method of a client, by path. It imports the client, which may take seconds."""
    transport_class = getattr(importlib.import_module(module), client).get_transport_class("grpc")
    recorder = _Recorder()
    transport = transport_class(channel=recorder)
    transport._logged_channel = recorder  # around the interceptor that writes a log,
    transport._stubs.clear()  # and without the stubs that were made through it
    for name, attribute in ((each, getattr(transport_class, each)) for each in dir(transport_class)):
        if isinstance(attribute, property) and name not in {"operations_client", "grpc_channel", "kind"}:
            getattr(transport, name)
    # without a response: methods of google.longrunning, which the door answers itself
    read = {path: _rpc(path, *found) for path, found in recorder.found.items() if found[1] is not None}
    return {path: rpc for path, rpc in read.items() if rpc.request is not None}


def _rpc(path: str, serializer: Any, deserializer: Any) -> Rpc:
    name = f"{path.rsplit('/', 1)[1]}Request"
    request = getattr(serializer, "__self__", None)
    if request is None:  # a message that is no wrapper of proto-plus: its serializer does not say whose it is
        request = getattr(iam_policy_pb2, name, None) or getattr(operations_pb2, name, None)
    return Rpc(path, _plain(request), _plain(deserializer.__self__))


def _plain(message: Any) -> Any:
    return message.pb() if hasattr(message, "pb") and hasattr(message, "meta") else message


def snake(name: str) -> str:
    """Return `BatchPredictionJob` as `batch_prediction_job`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
