"""Opens a socket to a host that must be at an allowed IP address.

The host's name is resolved once, and the connection goes to the address that was checked: a name that resolves to another address
a moment later changes nothing.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence
from typing import Any

from mlspec.targets.notify import deadline
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.deadline import CutOff
from mlspec.targets.notify.public_address import restriction_of

logger = logging.getLogger(__name__)


def open_checked_socket(host: str, port: int, cut_off: CutOff, allowed: Sequence[str]) -> socket.socket:
    """Return a socket that is connected to an allowed address of the host. Raises DeliveryError if there is none."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DeliveryError(f"the name of its host cannot be resolved ({type(error).__name__})") from error
    refused = {str(entry[4][0]): restriction_of(str(entry[4][0]), allowed) for entry in found}
    logger.debug("addresses of the host, and why they are refused: %s", refused)
    addresses = [entry for entry in found if refused[str(entry[4][0])] is None]
    if not addresses:
        kinds = " or ".join(sorted({kind for kind in refused.values() if kind}))
        raise DeliveryError(
            f"its host is at a {kinds} address, where nothing is sent: if that is right, name its network under "
            "`webhooks.private_networks` in mlspec.yaml"
        )
    return _connect_to_first(addresses, cut_off)


def _connect_to_first(addresses: Sequence[tuple[Any, ...]], cut_off: CutOff) -> socket.socket:
    problem: Exception | None = None
    for family, kind, protocol, _, address in addresses:
        opened = socket.socket(family, kind, protocol)
        try:
            cut_off.watch_socket(opened)
            opened.settimeout(deadline.DEADLINE)
            opened.connect(address)
        except OSError as error:  # the next address may answer
            opened.close()
            problem = error
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise DeliveryError(f"no connection: {type(problem).__name__}") from problem
