"""Reads secrets on this machine by name, from the environment or from a file that only its owner can read."""

from __future__ import annotations

import os
from pathlib import Path

from mlspec.errors import StateError
from mlspec.log_context import hide_secret
from mlspec.plain_files import is_shared, refuse_links


def secret_variable(name: str) -> str:
    """Return the environment variable that holds a secret: MLSPEC_SECRET_DEMAND_ONCALL_URL for demand-oncall-url."""
    return f"MLSPEC_SECRET_{name.upper().replace('-', '_')}"


def secret_value(folder: Path, name: str) -> str:
    """Return a secret's value: from its variable, else from `secrets/NAME` in the target's folder.

    Raises StateError if it is in neither, if other users can read the file, or if a link leads out of the folder `secrets`.
    """
    value = os.environ.get(secret_variable(name))
    if value:
        return hide_secret(value)
    path = folder / "secrets" / name
    _refuse_far_link(path, folder)
    try:
        if is_shared(path):
            raise StateError(f"others can read the secret {path}", hint=f"chmod 600 {path}")
        return hide_secret(path.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(
            f"there is no secret '{name}' on this machine",
            hint=f"set {secret_variable(name)}, or write it to {path} (chmod 600)",
        ) from error


def _refuse_far_link(path: Path, folder: Path) -> None:
    """Refuse a link that leads elsewhere: a clone could send any file of the user's to a receiver of its own choice.

    Kubernetes mounts a secret as a link inside its folder; that is fine.
    """
    refuse_links(path.parent, below=folder.parent)
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise StateError(
            f"the secret {path} is a link to {path.resolve()}", hint="write the value into the file itself (chmod 600)"
        )
