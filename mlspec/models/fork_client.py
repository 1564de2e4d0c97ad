"""Starts the process that calls of models are forked from (`models.fork_server`), and runs calls in its forks.

`multiprocessing` has a fork server too. It is not used: it has the environment and the hash seed of this process, and a fork could
read secrets from it. A server here is started with the environment that a model may have. It serves one call at a time, and is
kept for the next call of this process as long as that needs the same environment and the same path of modules.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlspec.errors import LostProcess
from mlspec.models.fork_server import ANSWER

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from mlspec.models import fork_server; fork_server.main(int(sys.argv[1]))"
)


class LostServer(Exception):
    """The server ended while it ran a call."""


@dataclass(frozen=True)
class ServerStart:
    """What a server is started with: its environment, and the folders and archives that modules are imported from."""

    environment: Mapping[str, str]
    path: tuple[str, ...]


class ForkServer:
    """A server, as the process that started it sees it. A signal to this process's session does not reach it."""

    def __init__(self, start: ServerStart) -> None:
        self.start = start
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-B", "-X", "utf8", "-c", _CODE, str(theirs.fileno()), json.dumps(start.path)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
                env=start.environment, start_new_session=True, pass_fds=(theirs.fileno(),),
            )  # fmt: skip

    def begin_call(self, folder: Path, lifeline: int, output: int, deadline: float) -> int:
        """Ask for a call, and return the id of its process. Raises OSError if the server has ended, TimeoutError if it hangs."""
        self._control.settimeout(_seconds_until(deadline))
        socket.send_fds(self._control, [os.fsencode(folder)], [lifeline, output])
        return self._read_answer(deadline)

    def wait_for_call(self, deadline: float) -> int:
        """Return how the call ended: its exit code, or minus a signal. Raises as `begin_call` does."""
        return self._read_answer(deadline)

    def _read_answer(self, deadline: float) -> int:
        data = b""
        while len(data) < ANSWER.size:
            self._control.settimeout(_seconds_until(deadline))
            part = self._control.recv(ANSWER.size - len(data))
            if not part:
                raise ConnectionResetError
            data += part
        return int(ANSWER.unpack(data)[0])

    def end(self) -> None:
        """End it at once. A call of it ends when its lifeline is closed."""
        self._control.close()
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Close this process's copy of the socket, in a fork of the process that started the server: it is not the fork's."""
        self._control.close()
        self._process.returncode = 0  # nobody here can wait for it


def _seconds_until(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)  # 0 means another thing to a socket


_idle: list[ForkServer] = []


def run_call(start: ServerStart, folder: Path, *, lifeline: int, output: int, seconds: float) -> int | None:
    """Run the call of a folder, and leave none of its processes. Return how it ended; None if it took longer than `seconds`.

    The call ends when the other end of `lifeline` is closed, and writes to `output`. Raises LostServer if its server ended before
    it did, LostProcess if no server could begin it.
    """
    deadline = time.monotonic() + seconds
    begun = _begin_call(start, folder, lifeline, output, deadline)
    if begun is None:
        return None
    server, child = begun
    status = None
    try:
        status = server.wait_for_call(deadline)
    except TimeoutError:
        pass
    except OSError as error:
        raise LostServer from error
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
        if status is None:
            server.end()
        else:
            _idle.append(server)
    return status


def _begin_call(
    start: ServerStart, folder: Path, lifeline: int, output: int, deadline: float
) -> tuple[ForkServer, int] | None:
    """Return a server that runs the call, and the id of the call's process; None if there was no time for it."""
    while True:
        server, is_new = _take_server(start)
        begun = False
        try:
            child = server.begin_call(folder, lifeline, output, deadline)
            begun = True
        except TimeoutError:
            return None
        except OSError as error:  # one that was idle may have ended
            if is_new:
                raise LostProcess(
                    "the process that starts models of your own ended before it started one",
                    hint="if the memory ran out, use a machine with more; then run it again",
                ) from error
            continue
        finally:
            if not begun:
                server.end()
        return server, child


def _take_server(start: ServerStart) -> tuple[ForkServer, bool]:
    """Return a server that runs no call, and whether it is a new one. Idle ones that were started with other values are ended."""
    while _idle:
        server = _idle.pop()
        if server.start == start:
            return server, False
        server.end()
    return ForkServer(start), True


def end_idle_servers() -> None:
    """End the servers that run no call. The next call gets a new one, whose memory has other addresses."""
    while _idle:
        _idle.pop().end()


def _forget_servers() -> None:
    while _idle:
        _idle.pop().forget()


atexit.register(end_idle_servers)
os.register_at_fork(after_in_child=_forget_servers)
