"""`mlspec destroy`: removes what apply made, and nothing else."""

from __future__ import annotations

import click

from mlspec.cli import options
from mlspec.cli.approval import approve_all, approve_destroy
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import report, say_error
from mlspec.cli.project import find_root, load_default_specs, open_specs
from mlspec.cli.target import timestamp
from mlspec.engine.destroy import DestroyRequest, open_destroy_plan
from mlspec.engine.target_kinds import find_target


@click.command(short_help="Remove what apply made, and nothing else.")
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_names)
@options.target
@options.yes
@options.lock_timeout
@click.option("--purge", is_flag=True, help="Remove data and history too. This cannot be undone.")
def command(names: tuple[str, ...], target: str, yes: bool, lock_timeout: float, purge: bool) -> int:
    """Remove what apply made for these forecasts, and nothing else; on Google Cloud their infrastructure too.

    Versions, releases, events and files are kept, so that a later apply can use them; --purge removes them too. What was decided
    on what served is forgotten (holds, quarantine, silences, incidents, notices that wait): it is listed first, and kept in the
    history. Specs and source data are never changed.
    """
    root = find_root()
    request = DestroyRequest(
        names=tuple(dict.fromkeys(names)),
        target=find_target(open_specs((), target).project, target),
        loaded=load_default_specs(root, target),
        root=root,
        purge=purge,
        clock=timestamp,
        tell=report,
        lock_timeout=lock_timeout,
    )
    with open_destroy_plan(request) as destroy_plan:
        absent = () if purge else destroy_plan.absent
        for name in absent:
            click.echo(f"{name}: there is nothing to destroy; its history is kept")
        if destroy_plan.text:
            report(destroy_plan.text)
        destroy_plan.destroy_all(approve_all if yes else approve_destroy)
    for name in destroy_plan.done:
        if name not in absent:
            click.echo(f"{name}: destroyed{', with its history' if purge else '; history is kept'}")
    for error in destroy_plan.errors:
        say_error(error)
    return destroy_plan.exit_code
