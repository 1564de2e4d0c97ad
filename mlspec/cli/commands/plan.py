"""`mlspec plan`: shows what apply would do, and why. Writes nothing except the file of --out."""

from __future__ import annotations

from pathlib import Path

import click

from mlspec.cli import options, plan_text
from mlspec.cli.messages import report
from mlspec.cli.planning import open_plan_here
from mlspec.errors import Exit, StateError
from mlspec.plan.saved import to_text


@click.command(short_help="Show what apply would do, and why.")
@options.paths
@options.target
@options.output("text", "json")
@options.select
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan, for `mlspec apply FILE`.",
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes, 0 when there are none.")
def command(
    paths: tuple[Path, ...],
    target: str,
    output: str,
    select: tuple[str, ...],
    out: Path | None,
    detailed_exitcode: bool,
) -> int:
    """Show what apply would do, field by field, and the consequences.

    Writes nothing except the file of --out. A saved plan is only valid for the same specs, state and commit: apply refuses it
    if one of them has changed.
    """
    with open_plan_here(paths, target, select) as opened:
        plan = opened.plan
    blocked = bool(plan.obstacles)
    if out is not None and not blocked:
        try:
            out.write_text(to_text(plan, tuple(map(str, paths)), select), encoding="utf-8")
        except OSError as error:
            raise StateError(f"cannot write {out}: {error.strerror}", hint="choose another --out") from error
    click.echo(plan_text.as_json(plan) if output == "json" else plan_text.as_text(plan))
    if blocked:
        return Exit.FAILED
    if out is not None:
        report(f"saved: run `mlspec apply {out}` to apply it")
    return Exit.CHANGES if detailed_exitcode and not plan.is_empty else Exit.DONE
