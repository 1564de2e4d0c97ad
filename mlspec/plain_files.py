"""Opens files and folders that mlspec makes: through no link, and for the present user alone.

A clone of a project, or an archive of it, can hold a symbolic link in place of a file that mlspec writes. Writing through it would
empty a file somewhere else. So every component of a path below a folder that the user chose is checked, and a file is opened in a
way that follows no link. A stricter umask than these modes is respected, as the system applies it.
"""

from __future__ import annotations

import os
import stat
from io import BufferedWriter
from pathlib import Path
from typing import BinaryIO

from mlspec.errors import StateError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SHARED = stat.S_IRWXG | stat.S_IRWXO


def find_link(path: Path, *, below: Path) -> Path | None:
    """Return the first component of `path` below the folder `below` that is a symbolic link; None if there is none.

    Of a path that is not below that folder, only the last component is looked at: its folders are the user's own choice.
    """
    whole, above = path.absolute().parts, below.absolute().parts
    first = len(above) + 1 if whole[: len(above)] == above else len(whole)
    component = os.path.join(*whole[: first - 1])  # noqa: PTH118  (a text: every read and write comes this way)
    for part in whole[first - 1 :]:
        component = os.path.join(component, part)  # noqa: PTH118
        if os.path.islink(component):  # noqa: PTH114
            return Path(component)
    return None


def refuse_links(path: Path, *, below: Path) -> None:
    """Raise StateError if a component of `path` below the folder `below` is a symbolic link."""
    link = find_link(path, below=below)
    if link is not None:
        raise StateError(
            f"{link} is a symbolic link, and mlspec writes through none: what it leads to was not changed",
            hint="remove the link, or name another path. To keep a folder on another disk, mount that disk there",
        )


def refuse_shared_file(path: Path) -> None:
    """Raise StateError if `path` is not a plain file, or if another name leads to the same file (a hard link).

    For a file that is changed in place: the change would show under the other name. A missing file is fine.
    """
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(seen.st_mode):
        raise StateError(f"{path} is not a plain file", hint="move it away")
    if seen.st_nlink > 1:
        raise StateError(
            f"{path} has {seen.st_nlink} names (hard links), and a write would change it under all of them",
            hint=f"give it a copy of its own: cp '{path}' '{path}.copy' && mv '{path}.copy' '{path}'",
        )


def make_private_folder(folder: Path) -> None:
    """Create `folder` and its parents, if they do not exist. What is created is for the present user alone. Raises OSError."""
    for part in reversed([part for part in (folder, *folder.parents) if not part.exists()]):
        part.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def open_new_file(path: Path, mode: int = PRIVATE_FILE) -> BufferedWriter:
    """Create `path` and open it for writing. A file or a link of that name is removed, not followed. Raises OSError."""
    path.unlink(missing_ok=True)
    return open(os.open(path, _NEW, mode), "wb")  # noqa: PTH123  (an open descriptor)


def open_plain(path: str, flags: int) -> int:
    """Open a file for Python's `open(…, opener=open_plain)`. Raises OSError if its last component is a symbolic link."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)


def replace_file(path: Path, data: bytes, *, below: Path, mode: int = PRIVATE_FILE) -> None:
    """Write `data` to `path` completely or not at all. Raises StateError for a link below `below`, OSError for the disk."""
    refuse_links(path, below=below)
    draft = path.with_name(f".{path.name}.part")
    try:
        with open_new_file(draft, mode) as stream:
            _write_all(stream, data)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _write_all(stream: BinaryIO, data: bytes) -> None:
    stream.write(data)
    stream.flush()
    os.fsync(stream.fileno())


def is_shared(path: Path) -> bool:
    """Return whether the mode of an existing file or folder gives other users any right to it."""
    return bool(path.stat().st_mode & _SHARED)
