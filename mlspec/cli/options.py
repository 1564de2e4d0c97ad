"""The options that several commands share, each in one place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_PATHS = ("specs",)


def _paths(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(Path(path) for path in value or DEFAULT_PATHS)


paths = click.argument("paths", nargs=-1, metavar="[PATH]...", callback=_paths)
target = click.option(
    "--target", default="local", show_default=True, metavar="NAME", help="A target named in mlspec.yaml."
)
yes = click.option("--yes", is_flag=True, help="Answer yes to every question.")


def output(*choices: str) -> Callable[[Command], Command]:
    """Add `--output`; the first choice is the default. json goes to stdout alone, all else to stderr."""
    return click.option(
        "--output", type=click.Choice(choices), default=choices[0], show_default=True, help="Form of the output."
    )
