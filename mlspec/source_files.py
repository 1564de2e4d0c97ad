"""Which files of a project a path in a spec names: `*` in the file's name is allowed."""

from __future__ import annotations

from pathlib import Path


def list_source_files(root: Path, uri: str) -> list[Path]:
    """Return the files that a path relative to `root` names, sorted. A path without `*` is returned even if nothing is there."""
    return sorted(path for path in root.glob(uri) if path.is_file()) if "*" in uri else [root / uri]
