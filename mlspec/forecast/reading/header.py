"""The names in the header of a file, and whether the columns that a spec names are among them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mlspec.errors import DataError
from mlspec.forecast.reading.column import cell_text
from mlspec.forecast.reading.evidence import guess_period_form
from mlspec.forecast.reading.fixed_width import GAP, SAVE_AS_CSV
from mlspec.forecast.reading.times import read_times

_SHOWN = 20  # names of columns in a message
_DELIMITERS = (";", "\t", "|", ",")


class MissingColumn(DataError):
    """A file lacks a column that the spec names."""


def refuse_missing(column_names: Sequence[str], header: Sequence[str], file: Path, where: str) -> None:
    """Raise DataError if a column is not in the header, or is there more than once. `where` is the spec's field."""
    missing = [name for name in column_names if name not in header]
    if missing:
        more = f" and {len(missing) - _SHOWN:,} more" if len(missing) > _SHOWN else ""
        raise MissingColumn(
            f"{where}: '{file.name}' has no column {', '.join(repr(name[:80]) for name in missing[:_SHOWN])}{more}",
            hint=explain_names(header, where) or f"its columns are {', '.join(name[:80] for name in header[:30])}",
        )
    repeated = sorted({name for name in column_names if header.count(name) > 1})
    if repeated:
        raise DataError(
            f"{where}: '{file.name}' has more than one column {', '.join(map(repr, repeated[:_SHOWN]))}",
            hint="rename one",
        )


def explain_names(header: Sequence[str], where: str) -> str | None:
    """Return what to do about a header that shows how its file is written, if the spec does not say it; else None.

    `where` is the spec's field of the file.
    """
    if len(header) == 1 and GAP.search(header[0]):
        return f"it is a table of fixed width: {SAVE_AS_CSV}"
    if any(len(name) > 1 and name[0] == name[-1] == "'" for name in header):
        return f"its names stand in single quotes: {say_how_written(where, 'quote', chr(39))}"
    misread = next((name for name in header if _as_utf8(name) != name), None)
    if misread is not None:
        return f"the file is in UTF-8, with a column '{_as_utf8(misread)[:80]}': {say_how_written(where, 'encoding', 'utf-8')}"
    sign = next((sign for sign in _DELIMITERS if len(header) == 1 and sign in header[0]), None)
    if sign is not None:
        shown = sign.replace("\t", "\\t")
        return f"its first line is one name, '{header[0][:80]}': {say_how_written(where, 'delimiter', shown)}"
    return None


def _as_utf8(name: str) -> str:
    """Return a name that was read in an encoding of one byte a letter, though it is UTF-8, as it was meant; else the name."""
    for encoding in ("cp1252", "latin-1"):
        try:
            return name.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return name


def say_how_written(where: str, key: str, value: str) -> str:
    """Return what to do about a file that is written in another way than its field says: a table of orders has no such keys."""
    if where.startswith("inventory."):
        return "such a table is written as dataset.source is; write it so, or save it as a workbook (xlsx)"
    return f'write {key}: "{value}" in {where}'


_TITLE_ROWS = 100  # rows among which the names of columns are looked for
_NAME = re.compile(r"\s*[^\W\d]|\s*#")


def find_header_row(rows: Sequence[Sequence[object]]) -> int:
    """Return the place of the row that holds the columns' names: the first that fills as many cells as most rows do.

    Rows above it are titles. If that row does not hold names, nobody knows: then it is the first row that is not empty.
    """
    filled = [sum(not _is_blank(cell) for cell in row) for row in rows]
    first = next((place for place, count in enumerate(filled) if count), 0)
    wide = sorted(count for count in filled if count > 1)
    if not wide:
        return first
    usual = wide[len(wide) // 2]
    place = next((place for place, count in enumerate(filled[:_TITLE_ROWS]) if count >= usual), first)
    return place if _are_names([cell for cell in rows[place] if not _is_blank(cell)]) else first


def _are_names(cells: Sequence[object]) -> bool:
    """Return whether cells name columns: by words, or beside them by periods, as in a wide table."""
    others = [cell for cell in cells if not (isinstance(cell, str) and _NAME.match(cell))]
    if not others or len(others) == len(cells):
        return not others
    texts = [cell_text(cell) for cell in others]
    form = guess_period_form(texts, None)
    return form is not None and bool(read_times(pd.Series(texts, dtype=object), form).notna().all())


def _is_blank(cell: object) -> bool:
    return isinstance(cell, str) and not cell.strip()
