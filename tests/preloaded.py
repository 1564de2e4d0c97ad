"""Commands of mlspec in forks of one process that has imported what they need: each would import for one to three seconds.

A command is a process of its own all the same, with its own words, environment, folder, streams, umask and exit code. What only a
fresh process shows, such as an import that is missing, the cases of `acceptance/` show: they start each command anew.
"""

from __future__ import annotations

import gc
import importlib
import marshal
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import unmeasured

ROOT = Path(__file__).resolve().parents[1]
# Nothing here starts a thread or reads the environment of a command.
_LIBRARIES = ("mlforecast", "sklearn.ensemble", "statsforecast.models", "skops.io", "psycopg")
_COMMAND = Path(sys.executable).parent / "mlspec"
# What stands on the PATH as `mlspec`: it hands its own streams and all that it was given over, and ends as the command does.
_CLIENT = """\
import marshal, os, signal, socket, sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
umask = os.umask(0o77)
given = marshal.dumps((sys.argv[2:], dict(os.environ), os.getcwd(), umask))
socket.send_fds(connection, [len(given).to_bytes(8, "big")], [0, 1, 2])
connection.sendall(given)
said = connection.recv(8)
code = int.from_bytes(said, "big", signed=True) if said else 70
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


class Preloaded:
    """The process, and `folder`, which holds a command `mlspec`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mlspec-"))  # a socket's path has to be short
        address = self.folder / "commands.socket"
        (self.folder / "client.py").write_text(_CLIENT)
        self.command = self.folder / "mlspec"
        words = shlex.join([sys.executable, "-IS", str(self.folder / "client.py"), str(address)])
        self.command.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        self.command.chmod(0o755)
        code = f"from tests.preloaded import serve\nserve({str(address)!r})"
        own = {**unmeasured(), "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=own, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"

    def stop(self) -> None:
        """End the process, and whatever still runs in its forks."""
        self._process.communicate()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded]:
    """One process for each worker that asks."""
    process = Preloaded()
    yield process
    process.stop()


def serve(address: str) -> None:
    """Fork for each command that comes through the socket, until the standard input ends."""
    from mlspec.cli.main import COMMANDS
    from mlspec.jobs import STEPS

    commands = (f"mlspec.cli.commands.{name.replace('-', '_')}" for name in COMMANDS)
    for name in (*_LIBRARIES, *commands, *(f"mlspec.jobs.{step}" for step in STEPS.values())):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen(64)
    given = _next_command(listener)
    if given is not None:
        _be_command(*given)


def _next_command(listener: socket.socket) -> tuple[list[int], tuple[list[str], dict[str, str], str, int]] | None:
    """Return in each fork with what its command is given, and in the process itself with nothing, at the end."""
    wakes, wake = socket.socketpair()
    wake.setblocking(False)
    wakes.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    running: dict[int, socket.socket] = {}
    with selectors.DefaultSelector() as selector:
        for source in (listener, wakes, sys.stdin):
            selector.register(source, selectors.EVENT_READ)
        print("ready", flush=True)
        while True:
            ready = [key.fileobj for key, _ in selector.select()]
            if wakes in ready:
                wakes.recv(4096)
                _tell_ended(running, selector)
            if sys.stdin in ready:
                for pid in running:
                    os.kill(pid, signal.SIGKILL)
                return None
            for pid, client in list(running.items()):
                if client in ready:  # it has gone, and takes its command along
                    selector.unregister(client)
                    os.kill(pid, signal.SIGTERM)
            if listener in ready:
                client, _ = listener.accept()
                streams, given = _receive(client)
                pid = os.fork()
                if pid == 0:
                    for one in (listener, client, wakes, wake, *running.values()):
                        one.close()
                    return streams, given
                for stream in streams:
                    os.close(stream)
                running[pid] = client
                selector.register(client, selectors.EVENT_READ)


def _receive(client: socket.socket) -> tuple[list[int], tuple[list[str], dict[str, str], str, int]]:
    head, streams, _, _ = socket.recv_fds(client, 8, 3)
    with client.makefile("rb") as stream:
        given: Any = marshal.loads(stream.read(int.from_bytes(head, "big")))
    return streams, given


def _tell_ended(running: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    """Tell each client whose command has ended how it ended."""
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            client = running.pop(pid)
            if client in selector.get_map():
                selector.unregister(client)
                client.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))
            client.close()


def _be_command(streams: list[int], given: tuple[list[str], dict[str, str], str, int]) -> None:
    """Go on as the command, as its script in the environment would."""
    words, environment, folder, umask = given
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(umask)
    sys.argv = [str(_COMMAND), *words]
    sys.path[0] = str(_COMMAND.parent)
    from mlspec.__main__ import main

    main()
