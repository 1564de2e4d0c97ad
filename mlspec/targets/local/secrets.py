"""Reads secrets on this machine by name, from the environment or from a file that only its owner can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from mlspec.errors import StateError
from mlspec.log_context import hide_secret


def secret_variable(name: str) -> str:
    """Return the environment variable that holds a secret: MLSPEC_SECRET_DEMAND_ONCALL_URL for demand-oncall-url."""
    return f"MLSPEC_SECRET_{name.upper().replace('-', '_')}"


def secret_value(folder: Path, name: str) -> str:
    """Return a secret's value: from its variable, else from `secrets/NAME` in the target's folder.

    Raises StateError if it is in neither, or if other users can read the file.
    """
    value = os.environ.get(secret_variable(name))
    if value:
        return hide_secret(value)
    path = folder / "secrets" / name
    try:
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise StateError(f"others can read the secret {path}", hint=f"chmod 600 {path}")
        return hide_secret(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(
            f"there is no secret '{name}' on this machine",
            hint=f"set {secret_variable(name)}, or write it to {path} (chmod 600)",
        ) from error
