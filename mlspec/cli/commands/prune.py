"""`mlspec prune`: removes from the record what nothing needs any more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import click

from mlspec.cli import options
from mlspec.cli.approval import approve_all, approve_prune
from mlspec.cli.complete import complete_names
from mlspec.cli.messages import say_error
from mlspec.cli.project import find_root, load_default_specs
from mlspec.cli.table import format_table
from mlspec.cli.target import open_engine, open_here
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.prune import ForecastPrune, PrunedForecast, PrunePlan
from mlspec.errors import UsageError
from mlspec.plan.select import recorded_name
from mlspec.spec import LoadedSpecs
from mlspec.spec.retention import Retention
from mlspec.state.record import FileRef
from mlspec.targets.user import current_user

_UNITS = ("B", "kB", "MB", "GB", "TB")


@click.command(short_help="Remove from the record what nothing needs any more.")
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@options.target
@options.output("text", "json")
@options.yes
@options.lock_timeout
@click.option("--dry-run", is_flag=True, help="Show what would go and what stays, and change nothing.")
def command(names: tuple[str, ...], target: str, output: str, yes: bool, lock_timeout: float, dry_run: bool) -> int:
    """Remove what `retention` in mlspec.yaml does not keep, of these forecasts or of all. The loop does the same by itself.

    What serves, what a rollback or an evaluation needs, and the names of versions in quarantine stay in any case. A file goes a
    day after nothing needs it any more, because a server or a step may still read it: with the loop, or the next prune.
    """
    root = find_root()
    loaded = load_default_specs(root, target)
    opened = open_here(target)
    retention = _required_retention(loaded)
    recorded = opened.forecast_names()
    chosen = tuple(dict.fromkeys(recorded_name(name, recorded) for name in names)) or recorded
    plan = PrunePlan(
        engine=open_engine(opened, root, ignore_progress, retention),
        retention=retention,
        specs={spec.name: spec.forecast for spec in loaded.specs},
        names=chosen,
        by=current_user(),
        lock_timeout=lock_timeout,
    )
    found = [plan.measure(name) for name in plan.names]
    if output == "text":
        click.echo(_forecast_tables(found))
    if not dry_run and found:
        asks = not yes and any(prune.row_count or prune.unneeded for prune in found)
        plan.prune_all(approve_prune if asks else approve_all)
    if output == "json":
        click.echo(json.dumps(_as_json(found, plan.done, dry_run=dry_run), indent=2, allow_nan=False))
    else:
        for pruned in plan.done:
            click.echo(_done_sentence(pruned))
    for error in plan.errors:
        say_error(error)
    return plan.exit_code


def _required_retention(loaded: LoadedSpecs) -> Retention:
    if loaded.project is None or loaded.project.retention is None:
        raise UsageError(
            "mlspec.yaml has no `retention`, so nothing is ever removed",
            hint="write `retention: {releases: 20, runs: 400d, events: 2y}` into it; "
            "`mlspec explain retention --kind project` explains it",
        )
    return loaded.project.retention


def _forecast_tables(found: Sequence[ForecastPrune]) -> str:
    """Return one table of all forecasts: what goes, what stays and why."""
    if not found:
        return "Nothing is on record yet."
    rows = [
        [prune.name, tally.kind, tally.goes, _size_text(tally.goes_size), tally.stays, tally.why]
        for prune in found
        for tally in prune.tallies
    ]
    return format_table(["forecast", "kind", "goes", "size", "stays", "what stays"], rows)


def _done_sentence(pruned: PrunedForecast) -> str:
    rows = f"{pruned.rows} row{'s' if pruned.rows != 1 else ''}"
    sentence = f"{pruned.name}: {rows} removed, {_files_text(pruned.removed)} removed"
    go = "go" if len(pruned.waiting) > 1 else "goes"
    waits = (
        f"; {_files_text(pruned.waiting)} {go} within a day, when nothing reads them any more" if pruned.waiting else ""
    )
    return sentence + waits


def _files_text(files: Sequence[FileRef]) -> str:
    return f"{len(files)} file{'s' if len(files) != 1 else ''} ({_size_text(sum(ref.size for ref in files))})"


def _size_text(size: float) -> str:
    """Return a number of bytes with a unit: `18.5 MB`."""
    unit = 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"


def _as_json(found: Sequence[ForecastPrune], done: Sequence[PrunedForecast], *, dry_run: bool) -> dict[str, object]:
    by_name = {pruned.name: pruned for pruned in done}
    return {
        "dry_run": dry_run,
        "forecasts": [
            {
                "name": prune.name,
                "kinds": [asdict(tally) for tally in prune.tallies],
                "pruned": _done_json(by_name[prune.name]) if prune.name in by_name else None,
            }
            for prune in found
        ],
    }


def _done_json(pruned: PrunedForecast) -> dict[str, object]:
    sizes = {"removed": pruned.removed, "waiting": pruned.waiting}
    files = {name: {"files": len(refs), "bytes": sum(ref.size for ref in refs)} for name, refs in sizes.items()}
    return {"rows": pruned.rows, **files}
