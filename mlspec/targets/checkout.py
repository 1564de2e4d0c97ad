"""Reads git checkouts: where another machine can fetch the one of mlspec from, and which commit of a project is newer. Makes no
network call."""

from __future__ import annotations

import os
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from mlspec.installation import Published
from mlspec.state.revision import Revision

_CHANGES = ("status", "--porcelain", "--untracked-files=no")
# Not `describe --dirty`, which writes git's index: reading must change nothing.
_STATUS = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
_COMMIT = re.compile("# branch\\.oid ([0-9a-f]{40,64})")
_SCP = re.compile(r"(?P<user>[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>[^/\s][^\s]*)")  # git@example.com:team/mlspec.git


def published_commit(folder: Path) -> Published | None:
    """Return the checkout's current commit, as a URL of its remote `origin`.

    Return None if `folder` is not the top folder of a checkout, if tracked files were changed, if no known branch of `origin`
    contains the commit, or if `origin` is a folder of this machine.
    """
    if _git(folder, "rev-parse", "--show-prefix") != "" or _git(folder, *_CHANGES) != "":
        return None
    commit, remote = _git(folder, "rev-parse", "HEAD"), _git(folder, "remote", "get-url", "origin")
    if not commit or not remote or not _git(folder, "for-each-ref", "--contains", "HEAD", "refs/remotes/origin"):
        return None
    url = shared_url(remote)
    return Published(f" @ git+{url}@{commit}") if url else None


def current_revision(folder: Path) -> Revision | None:
    """Return the commit that a folder's checkout is at; None without git, or outside of a checkout."""
    said = _git(folder, "log", "-1", "--format=%H %ct")
    if not said:
        return None
    commit, seconds = said.split()
    return Revision(commit, datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def git_commit(folder: Path) -> str | None:
    """Return the commit of a folder's checkout, with the suffix `-dirty` if tracked files differ from it; None without git."""
    lines = (_git(folder, *_STATUS) or "").splitlines()
    commit = next((match for line in lines if (match := _COMMIT.fullmatch(line))), None)
    dirty = any(not line.startswith("#") for line in lines)
    return f"{commit[1]}{'-dirty' if dirty else ''}" if commit else None


def is_ancestor(folder: Path, commit: str) -> bool | None:
    """Return whether the commit that a folder's checkout is at has `commit` in its history; None if the history is cut off."""
    if _git(folder, "merge-base", commit, "HEAD") == commit:
        return True
    return False if _git(folder, "rev-parse", "--is-shallow-repository") == "false" else None


def shared_url(remote: str) -> str | None:
    """Return a remote's URL without a password, in the form that pip accepts; None for a folder or an invalid URL."""
    parts = urlsplit(remote)
    if parts.scheme in ("https", "ssh") and parts.hostname:
        user = "git@" if parts.scheme == "ssh" and parts.username == "git" else ""
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{user}{parts.hostname}{port}{parts.path}"
    scp = _SCP.fullmatch(remote)
    return f"ssh://{scp['user'] or ''}{scp['host']}/{scp['path']}" if scp and "://" not in remote else None


def _git(folder: Path, *words: str) -> str | None:
    """Return git's output without surrounding white space; None if git fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    argv = ["git", "--no-optional-locks", "-C", str(folder), *words]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment, timeout=10)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
