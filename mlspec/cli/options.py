"""The options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from mlspec.plan.manual_words import read_words
from mlspec.spec.duration import parse_duration

Command = TypeVar("Command", bound=Callable[..., Any])

DEFAULT_PATHS = ("specs",)


def _default_paths(_context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(Path(path) for path in value or DEFAULT_PATHS)


paths = click.argument("paths", nargs=-1, metavar="[PATH]...", callback=_default_paths)
target = click.option(
    "--target", default="local", show_default=True, metavar="NAME", help="A target named in mlspec.yaml."
)
yes = click.option("--yes", is_flag=True, help="Answer yes to every question.")


def output(*choices: str) -> Callable[[Command], Command]:
    """Add `--output`; the first choice is the default. json goes to stdout, everything else to stderr."""
    return click.option(
        "--output", type=click.Choice(choices), default=choices[0], show_default=True, help="Form of the output."
    )


def language(what: str) -> Callable[[Command], Command]:
    """Add `--language`, the language of `what`; `engine.project_specs.page_language` says which one it is, if it is left out."""
    return click.option(
        "--language",
        type=click.Choice(["en", "pt-BR"]),
        help=f"The language of {what}.  [default: `language` in mlspec.yaml, or en]",
    )


select = click.option(
    "--select", multiple=True, metavar="SELECTOR",
    help="Only these forecasts: a name, a pattern (store-*), new, modified or modified+. Can be given more than once.",
)  # fmt: skip
cutoff = click.option(
    "--cutoff", metavar="DATE",
    help="The forecast that was made from the data up to this period, also if it was filled in later.  [default: the newest]",
)  # fmt: skip
series = click.option(
    "--series", multiple=True, metavar="COLUMN=VALUE", callback=lambda _c, parameter, values: parse_pairs(parameter, values),
    help="Only this series. Can be given more than once.",
)  # fmt: skip
out_file = click.option(
    "--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path),
    help="Write all rows to this file, for you alone; --output parquet and xlsx need one.",
)  # fmt: skip
rows_limit = click.option(
    "--limit", type=click.IntRange(min=0), default=24, show_default=True, help="Rows in text; 0 prints all."
)
series_limit = click.option(
    "--limit", type=click.IntRange(min=0), default=24, show_default=True, help="Series in text; 0 prints all."
)


def parse_reason(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """Return a reason as the history keeps it; None if none is given."""
    return None if value is None else read_words("reason", value)


reason = click.option(
    "--reason", required=True, metavar="TEXT", callback=parse_reason, help="The reason; it is kept in the history."
)
lock_timeout = click.option(
    "--lock-timeout", default="0s", show_default=True, metavar="DURATION", callback=lambda _c, _p, value: parse_seconds(value),
    help="How long to wait for a run that holds the lock: 30s, 10m.",
)  # fmt: skip


def parse_pairs(parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    """Read `--series COLUMN=VALUE` options."""
    for value in values:
        if "=" not in value or value.startswith("="):
            raise click.BadParameter(f"'{value}' is not of the form COLUMN=VALUE", param=parameter)
    return dict(value.split("=", 1) for value in values)


def parse_release(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """Return the number of a release as `mlspec history` shows it: 1 or r1."""
    match = re.fullmatch(r"r?([1-9][0-9]{0,8})", value or "")
    if value is not None and match is None:
        raise click.BadParameter(f"'{value}' is not a release, such as 1 or r1")
    return int(match[1]) if match else None


def parse_seconds(text: str) -> float:
    """Return a duration option in seconds."""
    try:
        return parse_duration(text).total_seconds()
    except ValueError as error:
        raise click.BadParameter(f"'{text}': {error}") from error
