"""The folders in which a step on this machine keeps what it has made so far, for the run after one that was killed.

They are below TMPDIR, for the present user alone: the parts of a step are as large as its temporary files. A folder belongs to one
key of a step (`engine.pipeline`), so that other data or another spec begin anew; it is removed when the step's result is stored.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mlspec.plain_files import PRIVATE_FOLDER, make_private_folder, open_plain, replace_file
from mlspec.state.resource import digest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ResultFolder:
    """Results as files of a folder, which exists. Implements `state.step.ResultStore`."""

    folder: Path

    def read_result(self, name: str) -> bytes | None:
        """Return the file of a result; None if there is none. Raises OSError, also for a link."""
        try:
            with open(self.folder / name, "rb", opener=open_plain) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write_result(self, name: str, data: bytes) -> None:
        """Write the file of a result. It gets its name when all of it is written. Raises OSError, and StateError for a link."""
        replace_file(self.folder / name, data, below=self.folder)


@contextmanager
def keep_unfinished(forecast: str, *, record: str, step: str, key: str) -> Iterator[ResultFolder | None]:
    """Return the folder of a step with this key, and remove it if the block ends well. `record` names the record, which has one
    writer of a forecast at a time.

    None where there can be no such folder: the step keeps nothing then.
    """
    place = _base_folder() / digest([record, forecast], 16) / step
    folder = _open_folder(place, key)
    yield None if folder is None else ResultFolder(folder)
    if folder is not None:
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):  # another step of the forecast has something there
            place.parent.rmdir()


def _base_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"mlspec-unfinished-{os.getuid()}"


def _open_folder(place: Path, key: str) -> Path | None:
    """Create a key's folder, and remove those of other keys."""
    try:
        make_private_folder(_base_folder())
        if not _is_private(_base_folder()):
            logger.warning("%s is not a folder of this user alone: nothing is kept there", _base_folder())
            return None
        for other in place.iterdir() if place.is_dir() else ():
            if other.name != key:
                shutil.rmtree(other, ignore_errors=True)
        make_private_folder(place / key)
    except OSError as error:
        logger.info("nothing is kept for a run after this one: %s", error)
        return None
    return place / key


def _is_private(folder: Path) -> bool:
    """Return whether a folder is no link, belongs to this user, and is closed to others: anybody may write to TMPDIR."""
    seen = folder.lstat()
    return (
        stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid() and not stat.S_IMODE(seen.st_mode) & ~PRIVATE_FOLDER
    )
