"""Tables of fixed width, whose columns begin at the same character of each line: they are recognised, and not read."""

from __future__ import annotations

import re
from pathlib import Path

from mlspec.errors import DataError

_FEWEST_LINES, _MOST_LINES = 3, 200
GAP = re.compile(r"\S {2,}\S")
_SIGNS = ",;|\t"
SAVE_AS_CSV = "save it as CSV: spreadsheet programs import text of fixed width, and so does pandas.read_fwf"


def refuse_fixed_width(file: Path, lines: str) -> None:
    """Raise DataError if the lines of a file are a table of fixed width."""
    starts = find_column_starts(lines)
    if starts:
        *others, last = map(str, starts)
        raise DataError(
            f"{file.name} is a table of fixed width, which is not read: its columns begin at the characters "
            f"{', '.join(others)} and {last}, with spaces between them",
            hint=SAVE_AS_CSV,
        )


def find_column_starts(lines: str) -> list[int]:
    """Return at which characters the columns of a table of fixed width begin, counted from 1; none for another table.

    Its first line has no sign between fields, most lines have several spaces in a row, and all have spaces in the same places.
    """
    rows = [line.rstrip() for line in lines.splitlines()[:_MOST_LINES] if line.strip()]
    body = rows[1:]
    if len(body) < _FEWEST_LINES or any(sign in rows[0] for sign in _SIGNS):
        return []
    if sum(bool(GAP.search(row)) for row in rows) <= len(rows) / 2:
        return []
    width = max(map(len, body))
    filled = [any(len(row) > place and row[place] != " " for row in body) for place in range(width)]
    starts = [place + 1 for place in range(width) if filled[place] and not (place and filled[place - 1])]
    return starts if len(starts) > 1 else []
