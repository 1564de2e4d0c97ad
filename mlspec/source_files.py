"""Which files of a project a path in a spec names: `*` in the file's name is allowed, and so is a folder of Parquet files.

And what can be said of a file that is not read.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from mlspec.errors import DataError

_PARQUET = ".parquet"
PERMISSION = "give yourself permission to read the file and the folders above it"
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # what Hive, Spark and Arrow write for a missing value


def list_source_files(root: Path, uri: str) -> list[Path]:
    """Return the files that a path relative to `root` names, sorted. A path without `*` is returned even if nothing is there.

    A folder names the Parquet files in it and in its partitions (`store=A/part-0.parquet`). Raises DataError if the folder may
    not be looked into: nobody knows then which files are there.
    """
    place = root / uri
    try:
        is_folder = place.is_dir()
        if "*" in uri:
            with os.scandir(place.parent):
                pass
    except PermissionError as error:
        raise DataError(f"cannot read {uri}: {error.strerror}", hint=PERMISSION) from error
    except OSError:
        is_folder = False
    if "*" in uri:
        return sorted(path for path in root.glob(uri) if path.is_file())
    if not is_folder:
        return [place]
    return sorted(
        path for path in place.rglob(f"*{_PARQUET}") if is_part(path.relative_to(place).as_posix()) and path.is_file()
    )


def is_part(name: str) -> bool:
    """Return whether a name below a folder of Parquet files is one of them; what begins with `_` or `.` is a writer's own."""
    return name.lower().endswith(_PARQUET) and not any(part.startswith(("_", ".")) for part in name.split("/"))


def partition_values(name: str) -> dict[str, str]:
    """Return the columns that stand in a file's name below its folder: `store=A/part-0.parquet` has the store A."""
    pairs = [part.partition("=") for part in PurePosixPath(name).parts[:-1]]
    return {unquote(key): "" if value == _NO_VALUE else unquote(value) for key, equals, value in pairs if equals}


# Bytes. A footer of 1,000 columns in 1,000 row groups has some tens of MiB, and takes many times its size in memory.
LARGEST_FOOTER = 64 * 2**20
_MAGIC = (b"PAR1", b"PARE")  # the end of a Parquet file; the second one's footer is encrypted


def parquet_footer_problem(file: Path) -> str | None:
    """Return why the footer of a Parquet file must not be read, or None. The footer is its list of columns and row groups."""
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(size - 8, 0))
        end = stream.read(8)
    if len(end) < 8 or end[4:] not in _MAGIC:
        return "it is no Parquet file, or it is truncated"
    length = int.from_bytes(end[:4], "little")
    if length > size:
        return "it is truncated"
    if length > LARGEST_FOOTER:
        most = LARGEST_FOOTER // 2**20
        return f"its footer has {length / 2**20:,.0f} MiB, and at most {most} MiB are read: write fewer columns or row groups"
    return None
