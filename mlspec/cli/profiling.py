"""Gets the profile of a data file from `jobs.profile`, asks a person where it has two readings, and prints what was found."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlspec.cli.escape import one_line, printable
from mlspec.errors import MissingExtra
from mlspec.plan.starting_language import WrittenForm

if TYPE_CHECKING:
    from mlspec.forecast.profile import Profile

_MOST_CELLS = 3  # cells that are named


def profile_data(
    file: Path, words: Mapping[str, Any], series: tuple[str, ...] | None, layout: Mapping[str, str | int]
) -> Profile:
    """Return the profile of a data file. On a terminal a person is asked which of two readings is meant.

    Raises DataError if the file has no usable columns, or two readings and nobody to ask; MissingExtra without pandas.
    """
    try:
        from mlspec.forecast.sample import AmbiguousTable
        from mlspec.jobs.profile import profile_file
    except ImportError as error:
        raise MissingExtra(error.name or "pandas", "forecast") from error
    while True:
        try:
            return profile_file(file, words, series, layout)
        except AmbiguousTable as error:
            if not sys.stdin.isatty() or error.option in layout:
                raise
            layout = {**layout, error.option: _ask_reading(error.message, error.choices)}


def _ask_reading(question: str, choices: tuple[tuple[str, str], ...]) -> str:
    click.echo(f"{printable(question)}:", err=True)
    for number, (value, meaning) in enumerate(choices, 1):
        click.echo(f"  {number}  {printable(value)}  {printable(meaning)}", err=True)
    numbers = click.Choice([str(number) for number in range(1, len(choices) + 1)])
    answer: str = click.prompt("Which is meant?", type=numbers, err=True)
    return choices[int(answer) - 1][0]


def written_form(profile: Profile) -> WrittenForm:
    """Return how the file is written, as far as it tells a language."""
    dialect, columns = profile.sample.dialect, profile.sample.table.columns
    return WrittenForm(dialect.decimal, dialect.date_format, dialect.currency, tuple(map(str, columns)))


def print_profile(file: Path, profile: Profile) -> None:
    """Print each guess with its reason, and the cells that stand in the way."""
    click.echo(f"{printable(file.name)}:")
    rows = [(key, one_line(value), one_line(reason)) for key, value, reason in profile.guesses]
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    for key, value, reason in rows:
        click.echo(f"  {key:{widths[0]}}  {value:{widths[1]}}  {reason}")
    for cell in profile.bad_cells[:_MOST_CELLS]:
        click.echo(one_line(f"  row {cell.row}: '{cell.value[:80]}' in {cell.column} {cell.problem}"))
    more = len(profile.bad_cells) - _MOST_CELLS
    if more > 0:
        click.echo(f"  and {more:,} more cells that cannot be read")
    if profile.bad_cells:
        click.echo("  Correct these cells: `mlspec apply` forecasts from a file that can be read as a whole.")
