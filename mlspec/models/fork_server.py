"""The process that calls of models are forked from: it has imported pandas and pyarrow, and runs no code of a model.

`models.fork_client` starts it and asks it for one call at a time. Each call is a fork, which `models.worker` takes over, so that
it begins with the libraries imported and with nothing that another call left. The server has one thread (a second, of
pyarrow's jemalloc, is made for forks: it stops in the child), and a call inherits its standard streams and no other descriptor.
The server ends when its client does.
"""

from __future__ import annotations

import importlib
import os
import socket
import struct
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from mlspec.models import worker

IDLE_SECONDS = 60.0  # without a call for so long, it gives its memory back
LONGEST_PATH = 4096  # bytes: PATH_MAX of Linux
ANSWER = struct.Struct("q")  # a process id, or how it ended


def main(descriptor: int) -> None:
    """Answer the calls that come through a socket until it is closed.

    A call is the path of a folder, with two descriptors: what ends when the client does, and where output goes. Its answers are
    the id of the fork and, when the fork has ended, its exit code, or minus the signal that ended it.
    """
    with suppress(Exception):  # the call's own import says what is wrong
        worker.import_libraries()
    with socket.socket(fileno=descriptor) as control, suppress(TimeoutError, ConnectionError):
        control.settimeout(IDLE_SECONDS)
        while _serve_call(control):
            pass


def _serve_call(control: socket.socket) -> bool:
    """Run one call to its end. Return False if the client has closed its end."""
    folder, descriptors, _flags, _address = socket.recv_fds(control, LONGEST_PATH, 2)
    if not folder:
        return False
    lifeline, output = descriptors
    child = os.fork()
    if child == 0:
        _run_call(control, Path(os.fsdecode(folder)), lifeline, output)
    for own in descriptors:
        os.close(own)
    control.sendall(ANSWER.pack(child))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    control.sendall(ANSWER.pack(status))
    return True


def _run_call(control: socket.socket, folder: Path, lifeline: int, output: int) -> NoReturn:
    """Become the process of a call: the leader of a session, with its own streams, in the folder of its code."""
    try:
        control.close()
        os.setsid()
        for descriptor, stream in ((lifeline, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, stream)
        os.close(lifeline)
        os.close(output)
        os.chdir(folder / "code")
        importlib.invalidate_caches()  # a package may have been installed since the server looked
        worker.main(str(folder))
    except BaseException:  # noqa: BLE001  (the output says it, as Python's own end would)
        traceback.print_exc()
    finally:
        os._exit(1)
