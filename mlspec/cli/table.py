"""Aligned tables of text: words left, numbers right, user text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from mlspec.cli.escape import printable

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Styled:
    """A text of a cell with a colour, for a terminal."""

    text: str
    colour: str


def format_table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, indent: int = 0) -> str:
    """Return rows under their header. Numbers are shown to four significant digits, from 1000 on in whole units; None is `-`."""
    cells = [[_format_cell(value) for value in row] for row in rows]
    numeric = [all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(header))]
    titles = [_one_line(name) for name in header]
    widths = _widths(titles, cells)
    colours = [[value.colour if isinstance(value, Styled) else "" for value in row] for row in rows]
    lines = [
        _format_line(titles, widths, numeric, [""] * len(titles)),
        *(_format_line(row, widths, numeric, own) for row, own in zip(cells, colours, strict=True)),
    ]
    return "\n".join(f"{' ' * indent}{line}" for line in lines)


def table_width(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    """Return how many columns of a terminal a table takes."""
    widths = _widths([_one_line(name) for name in header], [[_format_cell(value) for value in row] for row in rows])
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _widths(titles: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(title), *(len(row[i]) for row in cells)) if cells else len(title) for i, title in enumerate(titles)]


def _format_line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool], colours: Sequence[str]) -> str:
    words = [
        cell.rjust(width) if numeric else cell.ljust(width)
        for cell, width, numeric in zip(cells, widths, right, strict=True)
    ]
    words[-1] = words[-1].rstrip()
    coloured = (click.style(word, fg=colour) if colour else word for word, colour in zip(words, colours, strict=True))
    return _GAP.join(coloured).rstrip()


def _format_cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, Styled):
        return _one_line(value.text)
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return _one_line(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value))


def _one_line(text: str) -> str:
    """Return text of a user or a file for a cell: a new line in it is written as an escape, and breaks no table."""
    return printable(text).replace("\n", "\\n")


def format_percent(value: float | None) -> str:
    """Return a share as a percentage, with one decimal; `-` for None."""
    return "-" if value is None else f"{value:.1%}"
