"""Inspects a forecast's source files on this machine: names, size and digest.

The digest of a CSV file does not depend on how its lines end. That of other files, and of compressed ones, is of their bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlspec.errors import DataError
from mlspec.source_files import list_source_files, partition_values
from mlspec.spec.data_files import TableFile
from mlspec.spec.dataset import Source
from mlspec.spec.fields import Compression, TableFormat
from mlspec.spec.forecast import Forecast
from mlspec.spec.table_files import named_compression, named_format
from mlspec.state.observed import SourceFacts
from mlspec.targets.local.digest_cache import DigestCache


def inspect_source_files(spec: Forecast, root: Path, digests: DigestCache) -> SourceFacts:
    """Return the facts of the source and of all files beside it. Raises DataError if one is missing, unreadable or not local."""
    dataset = spec.dataset
    files = _source_files(dataset.source, dataset.source.encoding, "dataset.source", root)
    for field, table in dataset.files_beside:
        files += _source_files(table, table.encoding or dataset.source.encoding, field, root)
    return _inspect_files([*files, *_term_files(spec, root)], root, digests)


def inspect_terms(spec: Forecast, root: Path, digests: DigestCache) -> SourceFacts | None:
    """Return the facts of the tables of terms that `inventory` names; None if it names none. Raises as `inspect_source_files`."""
    files = _term_files(spec, root)
    return _inspect_files(files, root, digests) if files else None


def _term_files(spec: Forecast, root: Path) -> list[_SourceFile]:
    encoding = spec.dataset.source.encoding
    return [
        _SourceFile(path, folder, _is_text_file(None, None, encoding, path))
        for column in (spec.inventory.term_tables if spec.inventory else ())
        for path, folder in _matching_files(column.uri, ".".join(column.path[:2]), root)
    ]


def inspect_part(part: Source | TableFile, encoding: str, field: str, root: Path, digests: DigestCache) -> SourceFacts:
    """Return the facts of the files of one part. Raises as `inspect_source_files` does; `field` names it in the message."""
    return _inspect_files(_source_files(part, encoding, field, root), root, digests)


@dataclass(frozen=True)
class _SourceFile:
    """A file, the folder of which it is a part if a spec names a folder, and whether it is text whose lines may end in two ways."""

    path: Path
    folder: Path | None
    is_text: bool


def _source_files(part: Source | TableFile, encoding: str, field: str, root: Path) -> list[_SourceFile]:
    return [
        _SourceFile(path, folder, _is_text(part, encoding, path))
        for path, folder in _matching_files(part.uri, field, root)
    ]


def _is_text(part: Source | TableFile, encoding: str, path: Path) -> bool:
    return _is_text_file(part.format, part.compression, encoding, path)


def _is_text_file(table_format: TableFormat | None, compression: Compression | None, encoding: str, path: Path) -> bool:
    table_format = table_format or named_format(path.name) or "csv"
    compression = compression or named_compression(path.name)
    return table_format == "csv" and compression is None and "\r\n".encode(encoding).endswith(b"\r\n")


def _inspect_files(files: Sequence[_SourceFile], root: Path, digests: DigestCache) -> SourceFacts:
    total, of_bytes, size = hashlib.sha256(), hashlib.sha256(), 0
    for listed in files:
        file = listed.path
        try:
            with file.open("rb") as source:
                byte_digest, digest = (
                    digests.text_digests_of(source) if listed.is_text else (digests.sha256_of(source),) * 2
                )
            # Only the content counts, and where it is a part of: a renamed file is the same data.
            part = _partition_text(file, listed.folder)
            total.update(f"{part}{digest}\n".encode())
            of_bytes.update(f"{part}{byte_digest}\n".encode())
            size += file.stat().st_size
        except OSError as error:
            raise DataError(
                f"cannot read {file.relative_to(root)}: {error.strerror}", hint="check its permissions"
            ) from error
    names = tuple(listed.path.relative_to(root).as_posix() for listed in files)
    other = of_bytes.hexdigest() if of_bytes.digest() != total.digest() else None
    return SourceFacts(total.hexdigest(), names, size, other)


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
