"""`mlspec plan`: shows what apply would do, and why. Writes nothing except the file of --out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from mlspec.cli import options, plan_markdown, plan_text
from mlspec.cli.messages import report
from mlspec.cli.output_file import write_output
from mlspec.cli.planning import open_plan_here
from mlspec.cli.project import find_root
from mlspec.engine.project_specs import page_language
from mlspec.engine.provision import OpenedPlan
from mlspec.engine.status import without_spec_sentence
from mlspec.errors import Exit
from mlspec.plan.saved import to_text
from mlspec.state.plan import Plan

_FORMS = {"json": plan_text.as_json, "markdown": plan_markdown.as_markdown}


@click.command(short_help="Show what apply would do, and why.")
@options.paths
@options.target
@options.output("text", "json", "markdown", "html")
@options.select
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Save the plan, for `mlspec apply FILE`.",
)
@click.option(
    "--all",
    "in_full",
    is_flag=True,
    help="In text, each forecast by itself, however many change; else those that change alike are grouped beyond 20.",
)
@options.language("the form html")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 when there are changes, 0 when there are none.")
def command(
    paths: tuple[Path, ...],
    target: str,
    output: str,
    select: tuple[str, ...],
    out: Path | None,
    in_full: bool,
    language: str | None,
    detailed_exitcode: bool,
) -> int:
    """Show what apply would do, field by field, and the consequences.

    Writes nothing except the file of --out. Apply carries out a saved plan as long as a new plan would say the same; else it
    refuses, and names what moved. The form markdown is for a comment on a pull request; html is a page to which one can link.
    """
    with open_plan_here(paths, target, select) as opened:
        plan = opened.plan
        gone = _names_without_spec(opened, paths) if not select else ()
    blocked = bool(plan.obstacles)
    if out is not None and not blocked:
        write_output(out, to_text(plan, tuple(map(str, paths)), select))
    forms: dict[str, Callable[[Plan], str]] = {
        **_FORMS,
        "text": partial(plan_text.as_text, in_full=in_full),
        "html": partial(_as_page, language=language),
    }
    click.echo(forms[output](plan))
    for name in gone:
        report(f"{name}: {without_spec_sentence(name)}")
    if blocked:
        return Exit.FAILED
    if out is not None:
        report(f"saved: run `mlspec apply {out}` to apply it")
    return Exit.CHANGES if detailed_exitcode and not plan.is_empty else Exit.DONE


def _as_page(plan: Plan, language: str | None) -> str:
    from mlspec.cli.plan_page import as_page  # Jinja is loaded for pages alone

    return as_page(plan, page_language(find_root(), language))


def _names_without_spec(opened: OpenedPlan, paths: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the forecasts that were applied and that no spec describes; none unless all specs were read."""
    if paths != tuple(map(Path, options.DEFAULT_PATHS)):
        return ()
    described = {spec.name for spec in opened.specs}
    target = opened.engine.target
    return tuple(
        name for name in target.forecast_names() if name not in described and target.observe_forecast(name).resources
    )
