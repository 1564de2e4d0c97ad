"""Finds the local files of a spec's source: paths relative to the project's root, with `*`, never outside the root."""

from __future__ import annotations

from pathlib import Path

from mlspec.errors import DataError
from mlspec.source_files import list_source_files

SUFFIXES = (".csv", ".parquet")
# More does not fit into a laptop's memory. The same rows as Parquet take a tenth.
LARGEST_BYTES = 4 * 2**30
MOST_FILES = 10_000


def local_files(uri: str | None, root: Path, field: str) -> list[Path]:
    """Return the files that `uri` names, sorted. `field` is the spec's field, for messages.

    Raises DataError if the source is not local, outside `root`, missing, in another format, or too large.
    """
    if uri is None:
        raise _not_local_error(field, "a BigQuery query")
    if "://" in uri:
        raise _not_local_error(field, f"'{uri}'")
    files = _matching_files(uri, root, field)
    for file in files:
        _refuse_unreadable(file, root, uri, field)
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST_BYTES:
        raise DataError(
            f"{field}: '{uri}' holds {size / 2**30:.1f} GiB; at most {LARGEST_BYTES // 2**30} GiB are read",
            hint="write it as Parquet, or split the forecast in several specs",
        )
    return files


def _matching_files(uri: str, root: Path, field: str) -> list[Path]:
    if "\0" in uri or Path(uri).is_absolute() or ".." in Path(uri).parts or uri.startswith("~"):
        raise DataError(f"{field}: '{uri}' is not a path inside the project", hint=f"write it relative to {root}")
    files = list_source_files(root, uri)
    if not files:
        raise DataError(f"{field}: no file matches '{uri}' in {root}", hint="correct the path in the spec")
    if len(files) > MOST_FILES:
        raise DataError(f"{field}: '{uri}' matches {len(files):,} files; at most {MOST_FILES:,} are read")
    return files


def _refuse_unreadable(file: Path, root: Path, uri: str, field: str) -> None:
    if not file.resolve().is_relative_to(root.resolve()):
        raise DataError(
            f"{field}: '{uri}' leads outside the project", hint=f"put the file, not a link to it, below {root}"
        )
    if file.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{field}: '{file.name}' is neither CSV nor Parquet",
            hint="the name must end in .csv or .parquet (not compressed)",
        )
    if not file.is_file():
        raise DataError(f"{field}: there is no file '{uri}' in {root}", hint="correct the path in the spec")


def _not_local_error(field: str, what: str) -> DataError:
    return DataError(
        f"{field}: {what} cannot be read by the local target, which reads local files",
        hint="export it to a CSV or Parquet file inside the project and name that file, or choose a gcp target",
    )
