"""`mlspec apply`: brings forecasts to the state of their specs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlspec.cli import apply_text, options, plan_text
from mlspec.cli.messages import report, say_error
from mlspec.cli.planning import plan_run
from mlspec.cli.progress import Progress
from mlspec.engine.apply import apply_specs
from mlspec.engine.outcome import apply_exit_code
from mlspec.errors import Exit, Refused, StalePlan, UsageError
from mlspec.plan.saved import SavedPlan, check_fresh, from_text
from mlspec.spec.project import GcpTargetSettings
from mlspec.state.plan import Plan

if TYPE_CHECKING:
    from mlspec.cli import google_cloud


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
    help="On Google Cloud: apply the infrastructure, then start the job mlspec-reconcile, which makes the forecasts.",
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

    PATH is a spec file, a folder of them, or one plan that `mlspec plan --out` saved. What is up to date is left alone. A
    forecast that fails does not stop the others.
    """
    saved = _load_saved_plan(paths, select)
    target_name = saved.plan.target if saved else target
    if target_name != "local":
        from mlspec.cli import google_cloud

        settings = google_cloud.settings_of(target_name)
        if settings is not None:
            call = (tuple(map(Path, saved.paths)), saved.select) if saved else (paths, select)
            with (
                Progress() as progress,
                google_cloud.open_cloud_plan(call[0], target_name, call[1], progress, lock_timeout) as cloud,
            ):
                run_options = _RunOptions(output, yes=yes or saved is not None)
                return _apply_on_google_cloud(cloud, settings, saved, run_options, None if hand_over else lock_timeout)
    if hand_over:
        raise UsageError("--hand-over is for a target on Google Cloud", hint="leave it out")
    with Progress() as progress:
        if saved is None:
            report(f"mlspec apply: reading {', '.join(map(str, paths))}")
            planned_run = plan_run(paths, target, select, progress)
        else:
            report(f"mlspec apply: applying {paths[0]}")
            planned_run = plan_run([Path(path) for path in saved.paths], saved.plan.target, saved.select, progress)
            check_fresh(saved.plan, planned_run.plan)
        _show_plan(planned_run.plan, output)
        if not planned_run.plan.is_empty:
            destroyed = [
                change.resource for change in planned_run.plan.changes if change.action in ("delete", "replace")
            ]
            _ask_approval(
                planned_run.plan.target,
                destroyed,
                protect=planned_run.engine.target.protect,
                yes=yes or saved is not None,
            )
        outcomes = apply_specs(planned_run.engine, planned_run.specs, lock_timeout)
    if output == "json":
        click.echo(apply_text.as_json(outcomes))
    elif not planned_run.plan.is_empty or apply_exit_code(outcomes) != Exit.DONE:
        click.echo(f"\n{apply_text.as_text(outcomes)}")
    return apply_exit_code(outcomes)


@dataclass(frozen=True)
class _RunOptions:
    """How a run is shown, and whether it was approved."""

    output: str
    yes: bool


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


def _apply_on_google_cloud(
    cloud_plan: google_cloud.CloudPlan,
    settings: GcpTargetSettings,
    saved: SavedPlan | None,
    run_options: _RunOptions,
    lock_timeout: float | None,
) -> int:
    """Apply the planned infrastructure and DAGs, then make the forecasts that have it: here, or by the loop's job."""
    from mlspec.cli import google_cloud

    if saved is not None:
        check_fresh(saved.plan, cloud_plan.plan)
    _show_plan(cloud_plan.plan, run_options.output)
    if not cloud_plan.plan.is_empty:
        _ask_approval(
            cloud_plan.plan.target, cloud_plan.destroyed_addresses, protect=settings.protect, yes=run_options.yes
        )
    results = cloud_plan.apply_infrastructure()
    specs = google_cloud.specs_with_infrastructure(cloud_plan.specs, results)
    if lock_timeout is None:
        google_cloud.hand_over(cloud_plan, specs)
    outcomes = () if lock_timeout is None else apply_specs(cloud_plan.engine, specs, lock_timeout)
    if run_options.output == "json":
        click.echo(google_cloud.as_json(results, outcomes))
    elif not cloud_plan.plan.is_empty:
        click.echo(f"\n{google_cloud.as_text(results)}\n\n{apply_text.as_text(outcomes)}")
    for result in results:
        if result.error:
            say_error(result.error)
    return google_cloud.provision_exit_code(results, outcomes)


def _show_plan(plan: Plan, output: str) -> None:
    """Show the plan: on stdout as text, on stderr with JSON output. What cannot be planned is shown with the outcome."""
    plan_lines = plan_text.as_text(plan, before_apply=True)
    if plan_lines:
        click.echo(plan_lines, err=output == "json")


def _ask_approval(target: str, destroyed: Sequence[str], *, protect: bool, yes: bool) -> None:
    """Ask for approval if something is destroyed or the target is protected; refuse if there is no terminal."""
    reasons = [f"{', '.join(destroyed)} would be destroyed"] if destroyed else []
    reasons += [f"target '{target}' is protected"] if protect else []
    if not reasons or yes:
        return
    reason_text = " and ".join(reasons)
    if not sys.stdin.isatty():
        raise Refused(f"{reason_text}, and there is no terminal to ask on", hint="review `mlspec plan`, then add --yes")
    if not click.confirm(f"{reason_text}. Apply?", err=True):
        raise Refused("not applied: you answered no; nothing was changed")
