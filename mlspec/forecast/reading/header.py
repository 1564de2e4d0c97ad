"""The names in the header of a file, and whether the columns that a spec names are among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mlspec.errors import DataError

_SHOWN = 20  # names of columns in a message


class MissingColumn(DataError):
    """A file lacks a column that the spec names."""


def refuse_missing(column_names: Sequence[str], header: Sequence[str], file: Path, where: str) -> None:
    """Raise DataError if a column is not in the header, or is there more than once. `where` is the spec's field."""
    missing = [name for name in column_names if name not in header]
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        raise MissingColumn(
            f"{where}: '{file.name}' has no column {', '.join(repr(name[:80]) for name in missing[:_SHOWN])}{more}",
            hint=f"its columns are {', '.join(name[:80] for name in header[:30])}",
        )
    repeated = sorted({name for name in column_names if header.count(name) > 1})
    if repeated:
        raise DataError(
            f"{where}: '{file.name}' has more than one column {', '.join(map(repr, repeated[:_SHOWN]))}",
            hint="rename one",
        )
