"""Finds the local files of a spec's source: paths relative to the project's root, with `*`, never outside the root."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlspec import memory
from mlspec.errors import DataError
from mlspec.forecast.reading.budget import LARGEST_BYTES, RowBudget
from mlspec.forecast.reading.csv_file import Kinds
from mlspec.forecast.reading.dialect import Dialect, source_dialect
from mlspec.forecast.reading.table import NO_KINDS, OpenedSource, Table, open_source, read_table
from mlspec.forecast.reading.wide import RowNames, read_wide_table
from mlspec.source_files import list_source_files
from mlspec.spec.dataset import Dataset
from mlspec.spec.table_files import NAMES, named_format

MOST_FILES = 10_000


def local_files(uri: str | None, root: Path, field: str, dialect: Dialect, largest: int = LARGEST_BYTES) -> list[Path]:
    """Return the files that `uri` names, sorted. `field` is the spec's field, for messages; `largest` the most bytes of all.

    Raises DataError if the source is not local, outside `root`, missing, in another format, or too large.
    """
    if uri is None:
        raise _not_local_error(field, "a BigQuery query")
    if "://" in uri:
        raise _not_local_error(field, f"'{uri}'")
    files = _matching_files(uri, root, field)
    for file in files:
        _refuse_unreadable(file, root, uri, field, dialect)
    size = sum(file.stat().st_size for file in files)
    if size > largest:
        raise DataError(
            f"{field}: '{uri}' holds {size / 2**30:.1f} GiB; at most {largest // 2**30} GiB are read",
            hint="write it as Parquet, or split the forecast in several specs",
        )
    return files


def read_source(
    uri: str | None, root: Path, field: str, columns: Iterable[str], dialect: Dialect, *, kinds: Kinds = NO_KINDS
) -> Table:
    """Read columns of the files that `uri` names. Raises DataError if they cannot be read, or hold no rows."""
    files = local_files(uri, root, field, dialect)
    table = read_table(files, columns, dialect, field, kinds=kinds, folder=source_folder(uri, root))
    return refuse_empty(table, uri, field)


def read_history(dataset: Dataset, root: Path, columns: Iterable[str], *, kinds: Kinds = NO_KINDS) -> Table:
    """Read columns of a dataset's source as rows, whatever its layout. Raises DataError as `read_source` does."""
    uri, dialect, field = dataset.source.uri, source_dialect(dataset.source), "dataset.source"
    if dialect.layout == "long":
        return read_source(uri, root, field, columns, dialect, kinds=kinds)
    files, names = local_files(uri, root, field, dialect), RowNames(dataset.time, dataset.target)
    table = read_wide_table(files, columns, names, dialect, field, typed=bool(kinds), folder=source_folder(uri, root))
    return refuse_empty(table, uri, field)


def open_history(dataset: Dataset, root: Path, columns: Iterable[str]) -> OpenedSource:
    """Look at the files of a dataset whose source has a row for each period; a part of its rows will be in memory at once.

    Raises DataError as `read_source` does.
    """
    uri, dialect, field = dataset.source.uri, source_dialect(dataset.source), "dataset.source"
    budget = RowBudget(field, memory.step_memory(), in_parts=True)
    files = local_files(uri, root, field, dialect, budget.largest_bytes)
    return open_source(files, columns, dialect, budget, folder=source_folder(uri, root))


def refuse_empty(table: Table, uri: str | None, field: str) -> Table:
    """Raise DataError if a table has no rows, else return it."""
    if not len(table) and table.ragged:
        row, count = table.ragged[0], len(table.ragged)
        raise DataError(
            f"{field}: no row of '{uri}' can be read: row {row.row} of {row.file} {row.problem}"
            f"{f', and so on in {count:,} rows' if count > 1 else ''}",
            hint=f"correct these rows in the file, or {field}.delimiter in the spec",
        )
    if not len(table):
        raise DataError(f"{field}: '{uri}' has no rows", hint="it must hold the history of at least one series")
    return table


def source_folder(uri: str | None, root: Path) -> Path | None:
    """Return the folder that `uri` names, or None if it names files."""
    place = root / (uri or "")
    return place if uri and "*" not in uri and place.is_dir() else None


def _matching_files(uri: str, root: Path, field: str) -> list[Path]:
    if "\0" in uri or Path(uri).is_absolute() or ".." in Path(uri).parts or uri.startswith("~"):
        raise DataError(f"{field}: '{uri}' is not a path inside the project", hint=f"write it relative to {root}")
    files = list_source_files(root, uri)
    if not files:
        raise DataError(f"{field}: no file matches '{uri}' in {root}", hint="correct the path in the spec")
    if len(files) > MOST_FILES:
        raise DataError(f"{field}: '{uri}' matches {len(files):,} files; at most {MOST_FILES:,} are read")
    return files


def _refuse_unreadable(file: Path, root: Path, uri: str, field: str, dialect: Dialect) -> None:
    if not file.resolve().is_relative_to(root.resolve()):
        raise DataError(
            f"{field}: '{uri}' leads outside the project", hint=f"put the file, not a link to it, below {root}"
        )
    if dialect.format is None and named_format(file.name) is None:
        raise DataError(
            f"{field}: the name of '{file.name}' does not say its format",
            hint=f"write {field}.format, or a name that ends in {NAMES}",
        )
    if not file.is_file():
        raise DataError(f"{field}: there is no file '{uri}' in {root}", hint="correct the path in the spec")


def _not_local_error(field: str, what: str) -> DataError:
    return DataError(
        f"{field}: {what} cannot be read by the local target, which reads local files",
        hint="export it to a CSV or Parquet file inside the project and name that file, or choose a gcp target",
    )
