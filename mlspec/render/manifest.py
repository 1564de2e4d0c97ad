"""The manifest of a rendered folder: its files, and the files of an earlier rendering that are no longer needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping

from mlspec.state.resource import Json

MANIFEST_NAME = ".mlspec-render.json"
_FORMAT = 1


def file_digests(files: Mapping[str, str]) -> dict[str, str]:
    """Return the sha256 of each file, by path."""
    return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in sorted(files.items())}


def to_text(digests: Mapping[str, str], target: str) -> str:
    """Return the text of the manifest file."""
    return json.dumps({"format": _FORMAT, "target": target, "files": dict(sorted(digests.items()))}, indent=1) + "\n"


def target_of(text: str) -> str | None:
    """Return the target of an earlier rendering; None if the text does not name it."""
    try:
        target = json.loads(text)["target"]
    except (ValueError, KeyError, TypeError):
        return None
    return target if isinstance(target, str) else None


def from_text(text: str) -> dict[str, str]:
    """Return the files of an earlier rendering; empty if the text is not a manifest, so that no file is removed."""
    try:
        value: Json = json.loads(text)
        files = value["files"] if value["format"] == _FORMAT else {}
        return {path: digest for path, digest in files.items() if _is_inside(path) and isinstance(digest, str)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/") and "\\" not in path


def stale_files(before: Collection[str], now: Collection[str], whole: bool) -> list[str]:
    """Return the files of an earlier rendering that this one does not make again.

    `whole` says that all specs were rendered; if not, only the folders that were rendered again are compared.
    """
    folders = {_folder_of(path) for path in now}
    removed = (path for path in before if path not in now)
    return sorted(path for path in removed if whole or _folder_of(path) in folders)


def _folder_of(path: str) -> str:
    """Return the folder in terraform/ that a file belongs to; for a DAG, the DAG itself."""
    return path.rpartition("/")[0] if path.startswith("terraform/") else path
