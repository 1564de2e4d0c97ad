"""Python imports this by itself in every process on whose path it is: a connection that leaves this machine is refused, and noted.

What goes through the stand-in's proxy, the proxy sees; this sees whoever goes past it. A file that stands for a socket is on this
machine, and so is every address of 127.0.0.0/8 and ::1.
"""

import os
import socket
import sys

_LOOPBACK = ("127.", "::1", "localhost")


def _watch(event, args):
    if event not in ("socket.connect", "socket.sendto", "socket.getaddrinfo"):
        return
    address = args[0] if event == "socket.getaddrinfo" else args[1]
    host = address[0] if isinstance(address, tuple) else address
    if not isinstance(host, str) or host.startswith(("/", *_LOOPBACK)) or host == socket.gethostname():
        return
    with open(os.environ["MLSPEC_TEST_STRANGERS"], "a", encoding="utf-8") as file:  # noqa: PTH123  (in every process: no imports)
        file.write(f"{event} {host} by {sys.argv[:3]}\n")
    raise ConnectionRefusedError(f"{host} is not on this machine")


if "MLSPEC_TEST_STRANGERS" in os.environ:
    sys.addaudithook(_watch)
