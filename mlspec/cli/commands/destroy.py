"""`mlspec destroy`: removes what apply made, and nothing else."""

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


@click.command(short_help="Remove what apply made, and nothing else.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@options.target
@options.yes
@options.lock_timeout
@click.option("--purge", is_flag=True, help="Remove data and history too. This cannot be undone.")
def command(names: tuple[str, ...], target: str, yes: bool, lock_timeout: float, purge: bool) -> int:
    """Remove what apply made for these forecasts, and nothing else; on Google Cloud their infrastructure too.

    Versions, releases, events and files are kept, so that a later apply can use them; --purge removes them too. Specs and
    source data are never changed.
    """
    names = tuple(dict.fromkeys(names))
    description = (
        f"{'deployment, forecast, history and files' if purge else 'deployment and forecast'} of {', '.join(names)}"
    )
    opened_target = open_here(target)
    if isinstance(opened_target, LocalTarget):
        return _destroy_locally(opened_target, names, description, yes=yes, lock_timeout=lock_timeout, purge=purge)
    return _destroy_on_google_cloud(
        opened_target, names, target, description, yes=yes, lock_timeout=lock_timeout, purge=purge
    )


def _destroy_locally(
    opened_target: LocalTarget, names: tuple[str, ...], description: str, *, yes: bool, lock_timeout: float, purge: bool
) -> Exit:
    for name in names:
        known_name(name, opened_target.forecast_names())
    _ask_confirmation(description, yes=yes)
    for name in names:
        if not purge and not opened_target.observe_forecast(name).resources:
            _say_absent(name)
            continue
        with opened_target.lock_forecast(name, "destroy", timestamp(), lock_timeout):
            opened_target.remove_forecast(name, KINDS, purge=purge, at=timestamp())
        _say_done(name, purge=purge)
    return Exit.DONE


def _destroy_on_google_cloud(
    opened_target: GcpTarget,
    names: tuple[str, ...],
    target: str,
    description: str,
    *,
    yes: bool,
    lock_timeout: float,
    purge: bool,
) -> Exit:
    from mlspec.cli import takedown

    with takedown.open_destroy_plan(opened_target, names, target, lock_timeout) as destroy_plan:
        absent = () if purge else tuple(name for name in names if destroy_plan.is_absent(name))
        for name in absent:
            _say_absent(name)
        if destroy_plan.text:
            report(destroy_plan.text)
        _ask_confirmation(f"{description}{', with everything listed above' if destroy_plan.text else ''}", yes=yes)
        destroy_plan.destroy_all(purge=purge, lock_timeout=lock_timeout)
    for name in destroy_plan.done:
        if name not in absent:
            _say_done(name, purge=purge)
    for error in destroy_plan.errors:
        say_error(error)
    if destroy_plan.errors:
        return Exit.PARTIAL if destroy_plan.done else destroy_plan.errors[0].exit_code
    return Exit.DONE


def _ask_confirmation(description: str, *, yes: bool) -> None:
    """Ask for approval. Raises Refused if the answer is no, or if there is no terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(f"{description} would be destroyed, and there is no terminal to ask on", hint="add --yes")
    if not click.confirm(f"Destroy {description}?", err=True):
        raise Refused("not destroyed: you answered no; nothing was changed")


def _say_absent(name: str) -> None:
    click.echo(f"{name}: there is nothing to destroy; its history is kept")


def _say_done(name: str, *, purge: bool) -> None:
    click.echo(f"{name}: destroyed{', with its history' if purge else '; history is kept'}")
