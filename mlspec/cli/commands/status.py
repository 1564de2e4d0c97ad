"""`mlspec status`: per forecast, ready or not, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from mlspec.cli import options
from mlspec.cli.clock import now
from mlspec.cli.escape import printable
from mlspec.cli.project import find_root, known_name, load_specs
from mlspec.cli.table import percent, table
from mlspec.cli.target import open_target, timestamp
from mlspec.engine.status import Status, not_applied, status
from mlspec.errors import Exit


@click.command(short_help="Say per forecast whether it is ready, and why.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@options.target
@options.output("text", "json")
@click.option("--check", is_flag=True, help="Exit with 3 unless all are ready.")
def command(names: tuple[str, ...], target: str, output: str, check: bool) -> int:
    """Say per forecast whether it is ready, and why not; what serves, how good it is, when it ran and runs next."""
    root = find_root()
    loaded = load_specs([root / path for path in options.DEFAULT_PATHS], target)
    where = open_target(loaded.project, root, target)
    applied = where.names()
    known = tuple(sorted({*applied, *(spec.name for spec in loaded.specs)}))
    wanted = tuple(known_name(name, known) for name in names) or known
    found = [
        status(where, name, now()) if where.observe(name).seen else not_applied(name, timestamp()) for name in wanted
    ]
    if loaded.faults:
        click.echo("some specs cannot be read, and are left out: `mlspec validate` says why", err=True)
    if output == "json":
        click.echo(json.dumps({"forecasts": [as_json(each) for each in found]}, indent=2, allow_nan=False))
    else:
        click.echo(as_text(found))
        described = {spec.name for spec in loaded.specs}
        for name in () if loaded.faults else (each.name for each in found if each.name not in described):
            click.echo(f"{name}: no spec under specs/ describes it any more; `mlspec destroy {name}` takes it down")
    return Exit.NOT_WELL if check and not all(each.ready for each in found) else Exit.DONE


def as_text(found: list[Status]) -> str:
    """Return a table of forecasts, and under it why any is not ready."""
    if not found:
        return "No forecasts yet: `mlspec init` starts a project, `mlspec apply` makes its forecasts."
    rows = [
        [
            each.name,
            "ready" if each.ready else "not ready",
            ", ".join(f"{row['version']} {row['traffic']} %" for row in each.serving) or "nothing",
            each.candidate or "-",
            percent(each.metrics.get("wape")),
            each.last_run.cutoff if each.last_run else "-",
            each.last_run.created if each.last_run else "-",
            each.next_run or "-",
        ]
        for each in found
    ]
    lines = [
        table(["forecast", "state", "serving", "model", "backtest WAPE", "data up to", "last run", "next run"], rows)
    ]
    lines += [f"{each.name}: {printable(each.why or each.kept_out)}" for each in found if each.why or each.kept_out]
    return "\n".join(lines)


def as_json(each: Status) -> dict[str, Any]:
    """Return the contract's JSON of one forecast. Nothing watches alerts in this version: none is listed."""
    return {
        "name": each.name,
        "ready": each.ready,
        "conditions": [
            {key: value for key, value in asdict(row).items() if key != "forecast"} for row in each.conditions
        ],
        "serving": [dict(row) for row in each.serving],
        "champion": each.champion,
        "pinned": None,
        "metrics": dict(each.metrics),
        "alerts": [],
        "last_run": each.last_run.created if each.last_run else None,
        "next_run": each.next_run,
    }
