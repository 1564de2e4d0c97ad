"""`mlspec destroy`: takes down what apply made, and nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mlspec.cli import options
from mlspec.cli.messages import report, say_error
from mlspec.cli.project import known_name
from mlspec.cli.target import open_here, timestamp
from mlspec.errors import Exit, Refused
from mlspec.state.resource import KINDS
from mlspec.targets.local.target import LocalTarget

if TYPE_CHECKING:
    from mlspec.targets.gcp.target import GcpTarget


@click.command(short_help="Take down what apply made, and nothing else.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.target
@options.yes
@options.lock_timeout
@click.option("--purge", is_flag=True, help="Remove data and history too. This cannot be undone.")
def command(names: tuple[str, ...], target: str, yes: bool, lock_timeout: float, purge: bool) -> int:
    """Take down what apply made for these forecasts, and nothing else; on Google Cloud their infrastructure too.

    Versions, releases, events and files are kept, so that a later apply goes on from them; --purge removes them too. Specs and
    source data are never touched.
    """
    names = tuple(dict.fromkeys(names))
    what = f"{'deployment, forecast, history and files' if purge else 'deployment and forecast'} of {', '.join(names)}"
    where = open_here(target)
    if isinstance(where, LocalTarget):
        return _here(where, names, what, yes=yes, lock_timeout=lock_timeout, purge=purge)
    return _on_google_cloud(where, names, target, what, yes=yes, lock_timeout=lock_timeout, purge=purge)


def _here(
    where: LocalTarget, names: tuple[str, ...], what: str, *, yes: bool, lock_timeout: float, purge: bool
) -> Exit:
    for name in names:
        known_name(name, where.names())
    _ask(what, yes=yes)
    for name in names:
        if not purge and not where.observe(name).seen:
            _say_gone(name)
            continue
        with where.lock(name, "destroy", timestamp(), lock_timeout):
            where.forget(name, KINDS, purge=purge, at=timestamp())
        _say_done(name, purge=purge)
    return Exit.DONE


def _on_google_cloud(
    where: GcpTarget, names: tuple[str, ...], target: str, what: str, *, yes: bool, lock_timeout: float, purge: bool
) -> Exit:
    from mlspec.cli import takedown

    with takedown.opened(where, names, target, lock_timeout) as found:
        gone = () if purge else tuple(name for name in names if found.gone(name))
        for name in gone:
            _say_gone(name)
        if found.text:
            report(found.text)
        _ask(f"{what}{', with all of the above' if found.text else ''}", yes=yes)
        found.carry_out(purge=purge, lock_timeout=lock_timeout)
    for name in found.done:
        if name not in gone:
            _say_done(name, purge=purge)
    for error in found.errors:
        say_error(error)
    if found.errors:
        return Exit.PARTIAL if found.done else found.errors[0].exit_code
    return Exit.DONE


def _ask(what: str, *, yes: bool) -> None:
    """Ask before anything goes. Raises Refused where the answer is no, or nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{what} would be destroyed, and there is no terminal to ask on", hint="add --yes")
    if not click.confirm(f"Destroy {what}?", err=True):
        raise Refused("not destroyed: you said no; nothing was changed")


def _say_gone(name: str) -> None:
    click.echo(f"{name}: nothing of it stands; history is kept")


def _say_done(name: str, *, purge: bool) -> None:
    click.echo(f"{name}: destroyed{', with its history' if purge else '; history is kept'}")
