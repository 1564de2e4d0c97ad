"""Rows as CSV that a spreadsheet can open without harm, in the form that its reader's spreadsheet expects."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

# A spreadsheet reads a cell that begins with one of these as a formula, also in the full-width forms of East Asian keyboards:
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
_LINE_END = "\r\n"


def csv_text(
    columns: Sequence[str], values: Sequence[Sequence[Any]], *, separator: str = ",", decimal_comma: bool = False
) -> str:
    """Return CSV by RFC 4180; text that a spreadsheet would run as a formula gets an apostrophe before it."""
    lines: list[str] = []
    # Its own line end makes the writer quote a value that holds one of these characters; each line is written at once.
    writer = csv.writer(SimpleNamespace(write=lines.append), delimiter=separator, lineterminator=_LINE_END)
    writer.writerow([_escape_formula(name) for name in columns])
    convert = _decimal_comma if decimal_comma else _escape_formula
    writer.writerows([[convert(value) for value in row] for row in values])
    return "".join(f"{line.removesuffix(_LINE_END)}\n" for line in lines)


def _escape_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _decimal_comma(value: Any) -> Any:
    return str(value).replace(".", ",") if isinstance(value, float) else _escape_formula(value)
