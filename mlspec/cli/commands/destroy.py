"""`mlspec destroy`: takes down what apply made, and nothing else."""

from __future__ import annotations

import sys

import click

from mlspec.cli import options
from mlspec.cli.project import known_name
from mlspec.cli.target import open_here, timestamp
from mlspec.errors import Refused
from mlspec.state.resource import KINDS


@click.command(short_help="Take down what apply made, and nothing else.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.target
@options.yes
@options.lock_timeout
@click.option("--purge", is_flag=True, help="Remove data and history too. This cannot be undone.")
def command(names: tuple[str, ...], target: str, yes: bool, lock_timeout: float, purge: bool) -> None:
    """Take down what apply made for these forecasts, and nothing else.

    Versions, releases, events and files are kept, so that a later apply goes on from them; --purge removes them too. Specs and
    source data are never touched.
    """
    where = open_here(target)
    for name in names:
        known_name(name, where.names())
    what = "deployment, forecast, history and files" if purge else "deployment and forecast"
    if not yes:
        if not sys.stdin.isatty():
            raise Refused(
                f"{', '.join(names)}: {what} would be destroyed, and there is no terminal to ask on", hint="add --yes"
            )
        if not click.confirm(f"Destroy {what} of {', '.join(names)}?", err=True):
            raise Refused("not destroyed: you said no; nothing was changed")
    for name in names:
        if not purge and not where.observe(name).seen:
            click.echo(f"{name}: nothing of it stands; history is kept")
            continue
        with where.lock(name, "destroy", timestamp(), lock_timeout):
            where.forget(name, KINDS, purge=purge, at=timestamp())
        click.echo(f"{name}: destroyed{', with its history' if purge else '; history is kept'}")
