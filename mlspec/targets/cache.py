"""The local folder for copies of remote files. It can be deleted at any time."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from mlspec.plain_files import make_private_folder


def cache_path() -> Path:
    """Return where mlspec's folder in the user's cache is, which may not exist. Raises RuntimeError if the user has no home."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlspec"


def cache_folder() -> Path:
    """Return the folder for copies of remote files: in the user's cache, or a temporary one if that is not writable."""
    try:
        folder = cache_path()
        make_private_folder(folder)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):
        pass
    return Path(tempfile.mkdtemp(prefix="mlspec-cache-"))
