"""`mlspec validate`: every error of every file at once."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options
from mlspec.cli.escape import printable
from mlspec.cli.faults import as_github, as_json, as_sarif, as_text
from mlspec.cli.messages import report
from mlspec.cli.project import find_root, load_specs
from mlspec.engine.target_faults import with_all_target_faults
from mlspec.errors import Exit
from mlspec.spec.faults import count_faults, limit_faults


@click.command(short_help="Check spec files; report every error at once.")
@options.paths
@options.target
@options.output("text", "json", "sarif", "github")
@click.option("--data", is_flag=True, help="Also read the files of the specs, and name each cell that cannot be read.")
def command(paths: tuple[Path, ...], target: str, output: str, data: bool) -> int:
    """Check spec files, and report every error of every file at once.

    PATH is a spec file or a folder of them; specs/, if left out. Nothing is changed, and no data is read unless --data is
    given.
    """
    loaded = with_all_target_faults(load_specs(paths, target), find_root())
    faults = loaded.faults
    if data and not faults:
        from mlspec.cli.data_faults import data_faults

        faults = limit_faults([fault for spec in loaded.specs for fault in data_faults(spec, find_root())])
    errors = count_faults(faults)
    if output == "json":
        click.echo(as_json(faults, loaded.files))
    elif output == "sarif":
        click.echo(as_sarif(faults))
    elif output == "github":
        click.echo(as_github(faults), nl=bool(faults))
    else:
        if faults:
            click.echo(as_text(faults))
        if errors:
            report(f"\n{_count_text(errors, 'error')} in {_count_text(loaded.files, 'file')}")
        for name in () if errors else loaded.names:
            click.echo(f"{printable(name)}: ok")
    return Exit.FAILED if errors else Exit.DONE


def _count_text(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
