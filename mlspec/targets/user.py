"""The name of the user who runs this process, as locks and the history record it."""

from __future__ import annotations

import getpass
import os


def current_user() -> str:
    """Return the name of the user, or of the account that a container runs as; its number, where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no entry in the password file
        return f"uid {os.getuid()}"
