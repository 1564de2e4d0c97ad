"""Writes the file that a command was asked for: whole or not at all, for its user alone, and through no link of the project."""

from __future__ import annotations

import shlex
from pathlib import Path

from mlspec.cli.project import find_root
from mlspec.errors import StateError
from mlspec.plain_files import refuse_links, replace_file


def write_output(path: Path, content: str | bytes) -> None:
    """Write `content`, which holds data or a plan, to the file of `--out`. Raises StateError if it cannot be written."""
    try:
        replace_file(path, content.encode() if isinstance(content, str) else content, below=find_root())
    except OSError as error:
        folder = path.parent
        hint = f"make its folder first: mkdir -p {shlex.quote(str(folder))}"
        raise StateError(
            f"cannot write {path}: {error.strerror}", hint="choose another --out" if folder.exists() else hint
        ) from error


def refuse_linked_output(folder: Path) -> None:
    """Raise StateError if the folder of `--out`, or one above it in the project, is a symbolic link."""
    refuse_links(folder, below=find_root())
