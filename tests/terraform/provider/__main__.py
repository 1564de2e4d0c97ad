"""The provider's process.

`python -m tests.terraform.provider --reattach FOLDER` serves the cloud in FOLDER until it is interrupted, and prints the
line to set before `terraform` is called by hand. Without a folder it reads folders from standard input, one a line, with
the account that is to act there behind a tab if it is another than the owner's, and answers each with the value of
TF_REATTACH_PROVIDERS as a line of JSON: that is how the tests use one process for many clouds. It ends when its standard
input does.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc

from tests.terraform import resource_rules, schema
from tests.terraform.provider.cloud import Cloud
from tests.terraform.provider.messages import MESSAGES, message
from tests.terraform.provider.service import REQUESTS, Provider, ProviderSchema
from tests.terraform.resource_rules.data_sources import DATA

LARGE = 64 << 20  # the whole schema in one message


def handler(call: Callable[[Any], Any], request: str) -> grpc.RpcMethodHandler:
    def answer(given: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(given)
        except Exception as fault:  # noqa: BLE001  (Terraform prints it; the traceback goes to the log of the process)
            traceback.print_exc(file=sys.stderr)
            context.abort(grpc.StatusCode.INTERNAL, f"{type(fault).__name__}: {fault}")

    def serialize(found: Any) -> bytes:
        return found if isinstance(found, bytes) else bytes(found.SerializeToString())

    return grpc.unary_unary_rpc_method_handler(answer, MESSAGES[request].FromString, serialize)


def serve(provider: Provider, socket: Path) -> grpc.Server:
    """A server on a socket in the file system: nothing outside of this machine can reach it."""
    limits = [("grpc.max_send_message_length", LARGE), ("grpc.max_receive_message_length", LARGE)]
    server = grpc.server(futures.ThreadPoolExecutor(10), options=limits)
    calls = {name: handler(getattr(provider, name), request) for name, request in REQUESTS.items()}
    silence = grpc.unary_stream_rpc_method_handler(
        lambda _request, _context: iter(()), MESSAGES["Empty"].FromString, lambda found: found.SerializeToString()
    )
    shutdown = handler(lambda _request: message("Empty"), "Empty")  # it outlives a run of Terraform
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("tfplugin5.Provider", calls),
            grpc.method_handlers_generic_handler("plugin.GRPCController", {"Shutdown": shutdown}),
            grpc.method_handlers_generic_handler("plugin.GRPCStdio", {"StreamStdio": silence}),
        )
    )
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    return server


class Process:
    """Every cloud that was opened so far: a server for google and one for google-beta each."""

    def __init__(self, schema_file: Path, sockets: Path, kind: Callable[[Path], Cloud]):
        blocks = json.loads(schema_file.read_text())
        beta = {**blocks, "resources": {**blocks["resources"], **resource_rules.BETA_SCHEMA}}
        self.schemas = {
            "hashicorp/google": ProviderSchema(blocks, resource_rules.RESOURCES),
            "hashicorp/google-beta": ProviderSchema(beta, resource_rules.RESOURCES),
        }
        self.sockets, self.kind = sockets, kind
        self.servers: list[grpc.Server] = []

    def open(self, folder: Path, account: str = "") -> str:
        """The value of TF_REATTACH_PROVIDERS for a cloud, and for whoever acts as the account there."""
        cloud = self.kind(folder)
        cloud.account = account
        folder.mkdir(parents=True, exist_ok=True)
        found = {}
        for name, provider_schema in self.schemas.items():
            socket = self.sockets / str(len(self.servers))
            self.servers.append(serve(Provider(provider_schema, DATA, cloud), socket))
            address = {"Network": "unix", "String": str(socket)}
            # Test: Terraform leaves a process alone that it did not start
            found[name] = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": os.getpid(), "Test": True, "Addr": address}
        return json.dumps(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reattach", metavar="FOLDER", type=Path, help="serve this one cloud, for use by hand")
    parser.add_argument("--cache", metavar="FOLDER", type=Path, default=Path(tempfile.gettempdir(), "terraform-schema"))
    parser.add_argument(
        "--cloud", metavar="MODULE:CLASS", default=f"{Cloud.__module__}:Cloud", help="another kind of cloud"
    )
    options = parser.parse_args()
    module, _, name = options.cloud.partition(":")
    schema_file = schema.cached(options.cache, resource_rules.stable_types(), DATA)
    sockets = Path(tempfile.mkdtemp(prefix="tf"))  # a socket's path has little room: not below a test's own folder
    try:
        process = Process(schema_file, sockets, getattr(importlib.import_module(module), name))
        if options.reattach:
            print(f"export TF_REATTACH_PROVIDERS='{process.open(options.reattach)}'", flush=True)
            process.servers[-1].wait_for_termination()
        for line in sys.stdin:
            folder, _, account = line.strip().partition("\t")
            print(process.open(Path(folder), account), flush=True)
        for server in process.servers:
            server.stop(None)
    except KeyboardInterrupt:
        pass
    finally:
        shutil.rmtree(sockets, ignore_errors=True)


if __name__ == "__main__":
    main()
