"""`mlspec migrate`: specs and state of an older version."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options
from mlspec.cli.project import find_root, open_specs
from mlspec.engine.target_kinds import open_target


@click.command(short_help="Upgrade specs and state of an older version, with a backup.")
@options.paths
@options.target
def command(paths: tuple[Path, ...], target: str) -> None:
    """Upgrade specs and state that an older mlspec wrote, in place.

    The state is upgraded in one transaction. A copy of the old state is kept beside it: to go back, restore the copy. The spec
    language has only one version so far, so no spec is changed.
    """
    root = find_root()
    loaded = open_specs(paths, target)
    opened_target = open_target(loaded.project, root, target)
    backup_message = opened_target.migrate_schema()
    if backup_message is None:
        click.echo(f"the state of target '{target}' needs no upgrade")
    else:
        click.echo(f"upgraded the state of target '{target}'; {backup_message}")
    count = len(loaded.specs)
    click.echo(f"{count} spec{'s' if count != 1 else ''}: mlspec/v1 is the newest language, nothing to upgrade")
