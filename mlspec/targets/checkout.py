"""A git checkout that mlspec was installed from: whether another machine can fetch the same. No network is asked."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from mlspec.installation import Published

_CHANGES = ("status", "--porcelain", "--untracked-files=no")
_SCP = re.compile(r"(?P<user>[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/\s][^\s]*)")  # git@example.com:team/mlspec.git


def published_commit(folder: Path) -> Published | None:
    """Return the commit that a checkout stands at, by its remote `origin`.

    None where `folder` is not the top of a checkout, files of it were changed, no branch of `origin` that git knows of has the
    commit, or `origin` is a folder of this machine.
    """
    if _git(folder, "rev-parse", "--show-prefix") != "" or _git(folder, *_CHANGES) != "":
        return None
    commit, remote = _git(folder, "rev-parse", "HEAD"), _git(folder, "remote", "get-url", "origin")
    if not commit or not remote or not _git(folder, "for-each-ref", "--contains", "HEAD", "refs/remotes/origin"):
        return None
    url = shared_url(remote)
    return Published(f" @ git+{url}@{commit}") if url else None


def shared_url(remote: str) -> str | None:
    """Return the URL of a remote without password, as pip takes it; None for a folder and for what is no URL."""
    parts = urlsplit(remote)
    if parts.scheme in ("https", "ssh") and parts.hostname:
        user = "git@" if parts.scheme == "ssh" and parts.username == "git" else ""
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{user}{parts.hostname}{port}{parts.path}"
    scp = _SCP.fullmatch(remote)
    return f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path']}" if scp and "://" not in remote else None


def _git(folder: Path, *words: str) -> str | None:
    """Return what git prints, without the end of its last line; None where it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    argv = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=10)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
