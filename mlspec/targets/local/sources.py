"""Inspects a forecast's source files on this machine: names, size and digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from mlspec.errors import DataError
from mlspec.source_files import list_source_files, partition_values
from mlspec.spec.forecast import Forecast
from mlspec.state.observed import SourceFacts
from mlspec.targets.local.digest_cache import DigestCache


def inspect_source_files(spec: Forecast, root: Path, digests: DigestCache) -> SourceFacts:
    """Return the facts of the source and future files. Raises DataError if one is missing, unreadable or not local."""
    files = _matching_files(spec.dataset.source.uri, "dataset.source", root)
    if spec.dataset.future:
        files += _matching_files(spec.dataset.future.uri, "dataset.future", root)
    return _inspect_files(files, root, digests)


def inspect_pattern(uri: str | None, field: str, root: Path, digests: DigestCache) -> SourceFacts:
    """Return the facts of the files of one address. Raises as `inspect_source_files` does; `field` names it in the message."""
    return _inspect_files(_matching_files(uri, field, root), root, digests)


def _inspect_files(files: Sequence[tuple[Path, Path | None]], root: Path, digests: DigestCache) -> SourceFacts:
    """Return the facts of files. Each comes with the folder of which it is a part, if a spec names a folder."""
    total = hashlib.sha256()
    size = 0
    for file, folder in files:
        try:
            with file.open("rb") as source:
                # Only the content counts, and where it is a part of: a renamed file is the same data.
                total.update(f"{_partition_text(file, folder)}{digests.sha256_of(source)}\n".encode())
            size += file.stat().st_size
        except OSError as error:
            raise DataError(
                f"cannot read {file.relative_to(root)}: {error.strerror}", hint="check its permissions"
            ) from error
    return SourceFacts(total.hexdigest(), tuple(file.relative_to(root).as_posix() for file, _ in files), size)


def _partition_text(file: Path, folder: Path | None) -> str:
    return (
        ""
        if folder is None
        else "".join(f"{key}={value}/" for key, value in partition_values(file.relative_to(folder).as_posix()).items())
    )


def _matching_files(uri: str | None, field: str, root: Path) -> list[tuple[Path, Path | None]]:
    if uri is None or "://" in uri:
        raise DataError(
            f"{field} is {uri or 'a query'}, and the local target reads files of this project only",
            hint="export it to a CSV or Parquet file under data/, and name that in a `targets: {local: …}` overlay",
        )
    paths = list_source_files(root, uri)
    if not paths:
        raise DataError(f"{field}: no file matches {uri}", hint=f"looked in {root}")
    inside = root.resolve()
    for path in paths:
        if not path.is_file():
            raise DataError(f"{field}: there is no file {uri}", hint=f"paths start at the project's root, {root}")
        if not path.resolve().is_relative_to(inside):
            raise DataError(f"{field}: {uri} leads out of the project", hint="copy the file into the project")
    folder = root / uri if (root / uri).is_dir() else None
    return [(path, folder) for path in paths]
