"""Where this mlspec was installed from, and how the same one is installed again.

Installers leave a note beside a package that was not asked for by name alone: direct_url.json (PEP 610), or provenance_url.json
(PEP 710) with the address and digest of what an index gave. Nothing here asks a network, and nothing names a package that an index
would have to be trusted for: on PyPI the name `mlspec` is another project's.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

DISTRIBUTION = "mlspec-forecast"
UNKNOWN_VERSION = "0.0"  # of a build that found no tag: pyproject's fallback-version
README = "see 'Install' in mlspec's README"


@dataclass(frozen=True, slots=True)
class Published:
    """What another machine can fetch. `reference` stands behind the name in a requirement: ` @ URL` or `==VERSION`."""

    reference: str

    def requirement(self, extras: Iterable[str]) -> str:
        """Return the requirement (PEP 508) that installs it with these extras."""
        return f"{DISTRIBUTION}[{','.join(extras)}]{self.reference}"


@dataclass(frozen=True, slots=True)
class LocalPath:
    """A folder or a file of this machine."""

    path: str
    is_editable: bool = False


# None: no installer said where it came from.
Origin = Published | LocalPath | None


def read_origin() -> Origin:
    """Return where the mlspec that runs was installed from."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        installed = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        return None
    for name in ("direct_url.json", "provenance_url.json"):
        text = installed.read_text(name)
        if text:
            return _origin_of_note(text)
    # Asked for by name, unless it was built by hand: no public index takes a version with a local part.
    is_built_by_hand = "+" in installed.version or installed.version == UNKNOWN_VERSION
    return None if is_built_by_hand else Published(f"=={installed.version}")


def install_command(extra: str) -> str:
    """Return the command that adds an extra to the mlspec that runs, from where it was installed."""
    origin = read_origin()
    if isinstance(origin, Published):
        return f"pip install {shlex.quote(origin.requirement([extra]))}"
    if isinstance(origin, LocalPath):
        return f"pip install {'-e ' if origin.is_editable else ''}{shlex.quote(f'{origin.path}[{extra}]')}"
    return f"install mlspec with its extra '{extra}': {README}"


def _origin_of_note(text: str) -> Origin:
    try:
        note = json.loads(text)
        return origin_of(note) if isinstance(note, dict) else None
    except (ValueError, AttributeError):  # a note that an installer wrote otherwise says nothing
        return None


def origin_of(note: Mapping[str, Any]) -> Origin:
    """Return what a note of an installer says (packaging.python.org/specifications/direct-url-data-structure)."""
    url = str(note.get("url", ""))
    if not url.isascii() or not url.isprintable() or " " in url:
        return None
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalPath(unquote(parts.path), bool(note.get("dir_info", {}).get("editable")))
    subdirectory = [f"subdirectory={note['subdirectory']}"] if note.get("subdirectory") else []
    if "vcs_info" in note:
        vcs = note["vcs_info"]
        return _published(f"{vcs.get('vcs')}+{url}@{vcs.get('commit_id')}", subdirectory)
    if "archive_info" not in note:
        return None
    digest = _digest(note["archive_info"])
    # Without TLS and without a digest nobody can tell what comes.
    return _published(url, [*subdirectory, *digest]) if digest or parts.scheme == "https" else None


def _published(url: str, fragments: list[str]) -> Published:
    return Published(f" @ {url}{'#' if fragments else ''}{'&'.join(fragments)}")


def _digest(archive: Mapping[str, Any]) -> list[str]:
    """Return the sha256 of an archive as a part of a URL's fragment, which pip and uv check; nothing where there is none."""
    older = str(archive.get("hash", "")).partition("=")  # before PEP 610 had `hashes`
    digest = archive.get("hashes", {}).get("sha256") or (older[2] if older[0] == "sha256" else "")
    return [f"sha256={digest}"] if digest else []
