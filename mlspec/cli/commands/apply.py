"""`mlspec apply`: brings forecasts to the state of their specs."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from mlspec.cli import apply_text, options, plan_text
from mlspec.cli.approval import approve_all, approve_apply
from mlspec.cli.messages import report, say_error
from mlspec.cli.planning import open_plan_here
from mlspec.cli.progress import Progress
from mlspec.engine.provision import apply_plan
from mlspec.errors import Exit, StalePlan, UsageError
from mlspec.plan.saved import SavedPlan, check_fresh, from_text
from mlspec.state.plan import Plan, changed_forecasts


@click.command(short_help="Apply specs: check, backtest, gate, train, deploy, forecast.")
@options.paths
@options.target
@options.output("text", "json")
@options.select
@options.yes
@options.lock_timeout
@click.option(
    "--hand-over",
    is_flag=True,
    help="On Google Cloud: apply the infrastructure, then give the job mlspec-reconcile the image with these specs (TF_VAR_image) "
    "and start it: it makes the forecasts. Refused after a newer commit.",
)
def command(
    paths: tuple[Path, ...],
    target: str,
    output: str,
    select: tuple[str, ...],
    yes: bool,
    lock_timeout: float,
    hand_over: bool,
) -> int:
    """Apply specs: check the data, backtest the candidates, judge them by the gate, train and deploy what passes, forecast.

    PATH is a spec file, a folder of them, or one plan that `mlspec plan --out` saved. A saved plan is applied if a new plan would
    say the same, else refused. What is up to date is left alone. A forecast that fails does not stop the others.
    """
    saved = _load_saved_plan(paths, select)
    if saved is None:
        report(f"mlspec apply: reading {', '.join(map(str, paths))}")
    else:
        report(f"mlspec apply: applying {paths[0]}")
        _check_target(saved, target)
        paths, target, select = tuple(map(Path, saved.paths)), saved.plan.target, saved.select
    with (
        Progress() as progress,
        open_plan_here(paths, target, select, progress, lock_timeout, hand_over=hand_over) as opened,
    ):
        if saved is not None:
            check_fresh(saved.plan, opened.plan)
        _show_plan(opened.plan, output)
        progress.expect_forecasts(changed_forecasts(opened.plan))
        approve = approve_all if yes or saved is not None else approve_apply
        result = apply_plan(opened, approve, lock_timeout=lock_timeout, hand_over=hand_over)
    if result.handed_over:
        report("the job mlspec-reconcile makes the forecasts: `mlspec status` says when they are ready")
    if output == "json":
        click.echo(apply_text.as_json(result))
    elif not opened.plan.is_empty or result.exit_code != Exit.DONE:
        click.echo(f"\n{apply_text.as_text(result)}")
    for folder in result.infrastructure or ():
        if folder.error:
            say_error(folder.error)
    return result.exit_code


def _load_saved_plan(paths: tuple[Path, ...], select: tuple[str, ...]) -> SavedPlan | None:
    """Return the saved plan among the paths, if there is one."""
    plans = [path for path in paths if path.is_file() and path.suffix not in (".yaml", ".yml")]
    if not plans:
        return None
    if len(paths) > 1 or select:
        raise UsageError(
            "a saved plan is applied alone and as a whole", hint="mlspec apply PLAN, without other paths or --select"
        )
    try:
        text = plans[0].read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StalePlan(
            f"cannot read {plans[0]}: {error}", hint="write it again with `mlspec plan --out FILE`"
        ) from error
    return from_text(text, str(plans[0]))


def _check_target(saved: SavedPlan, target: str) -> None:
    """Raise StalePlan if --target was given and names another target than the plan's. A build gives it: a file may be forged."""
    given = click.get_current_context().get_parameter_source("target") is not ParameterSource.DEFAULT
    if given and saved.plan.target != target:
        raise StalePlan(
            f"the saved plan is for target '{saved.plan.target}', and --target names '{target}'",
            hint="leave --target out, or plan for that target",
        )


def _show_plan(plan: Plan, output: str) -> None:
    """Show the plan: on stdout as text, on stderr with JSON output. What cannot be planned is shown with the outcome."""
    plan_lines = plan_text.as_text(plan, before_apply=True)
    if plan_lines:
        click.echo(plan_lines, err=output == "json")
