"""`mlspec apply`: makes it so."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlspec.cli import apply_text, options, plan_text
from mlspec.cli.messages import report, say_error
from mlspec.cli.planning import planned
from mlspec.cli.progress import Progress
from mlspec.engine.apply import apply as apply_specs
from mlspec.engine.outcome import exit_code
from mlspec.errors import Exit, Refused, StalePlan, UsageError
from mlspec.plan.saved import Saved, check_fresh, from_text
from mlspec.spec.project import GcpTarget
from mlspec.state.plan import Plan

if TYPE_CHECKING:
    from mlspec.cli import google_cloud


@click.command(short_help="Make it so: data, checks, backtest, gate, deploy, forecast.")
@options.paths
@options.target
@options.output("text", "json")
@options.select
@options.yes
@options.lock_timeout
@click.option(
    "--hand-over",
    is_flag=True,
    help="On Google Cloud: when the infrastructure stands, let the loop's job make the forecasts.",
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
    """Make it so: check the data, backtest the candidates, judge them by the gate, deploy what passes, forecast.

    PATH is a spec file, a folder of them, or one plan that `mlspec plan --out` saved. What is as its spec says is left alone; one
    forecast that fails does not hold up the others.
    """
    saved = _saved(paths, select)
    wanted = saved.plan.target if saved else target
    if wanted != "local":
        from mlspec.cli import google_cloud

        settings = google_cloud.settings_of(wanted)
        if settings is not None:
            call = (tuple(map(Path, saved.paths)), saved.select) if saved else (paths, select)
            with Progress() as progress, google_cloud.opened(call[0], wanted, call[1], progress, lock_timeout) as cloud:
                shown = _Shown(output, yes=yes or saved is not None)
                return _on_google_cloud(cloud, settings, saved, shown, None if hand_over else lock_timeout)
    if hand_over:
        raise UsageError("--hand-over is for a target on Google Cloud", hint="leave it out")
    with Progress() as progress:
        if saved is None:
            report(f"mlspec apply: reading {', '.join(map(str, paths))}")
            found = planned(paths, target, select, progress)
        else:
            report(f"mlspec apply: carrying out {paths[0]}")
            found = planned([Path(path) for path in saved.paths], saved.plan.target, saved.select, progress)
            check_fresh(saved.plan, found.plan)
        _show(found.plan, output)
        if not found.plan.empty:
            destroyed = [change.resource for change in found.plan.changes if change.action in ("delete", "replace")]
            _approve(found.plan.target, destroyed, protect=found.engine.target.protect, yes=yes or saved is not None)
        outcomes = apply_specs(found.engine, found.specs, lock_timeout)
    if output == "json":
        click.echo(apply_text.as_json(outcomes))
    elif not found.plan.empty or exit_code(outcomes) != Exit.DONE:
        click.echo(f"\n{apply_text.as_text(outcomes)}")
    return exit_code(outcomes)


@dataclass(frozen=True)
class _Shown:
    """How a run is shown, and whether somebody said yes to it."""

    output: str
    yes: bool


def _saved(paths: tuple[Path, ...], select: tuple[str, ...]) -> Saved | None:
    """Return the saved plan that the call names, if it names one."""
    plans = [path for path in paths if path.is_file() and path.suffix not in (".yaml", ".yml")]
    if not plans:
        return None
    if len(paths) > 1 or select:
        raise UsageError(
            "a saved plan is carried out alone and whole", hint="mlspec apply PLAN, without other paths or --select"
        )
    try:
        text = plans[0].read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StalePlan(f"cannot read {plans[0]}: {error}", hint="make it with `mlspec plan --out FILE`") from error
    return from_text(text, str(plans[0]))


def _on_google_cloud(
    found: google_cloud.Opened,
    settings: GcpTarget,
    saved: Saved | None,
    shown: _Shown,
    lock_timeout: float | None,
) -> int:
    """Make the infrastructure and the DAGs as planned, then the forecasts that have it: here, or by the loop's job."""
    from mlspec.cli import google_cloud

    if saved is not None:
        check_fresh(saved.plan, found.plan)
    _show(found.plan, shown.output)
    if not found.plan.empty:
        _approve(found.plan.target, found.lost, protect=settings.protect, yes=shown.yes)
    made = found.apply()
    specs = google_cloud.standing(found.specs, made)
    if lock_timeout is None:
        google_cloud.hand_over(found, specs)
    outcomes = () if lock_timeout is None else apply_specs(found.engine, specs, lock_timeout)
    if shown.output == "json":
        click.echo(google_cloud.as_json(made, outcomes))
    elif not found.plan.empty:
        click.echo(f"\n{google_cloud.as_text(made)}\n\n{apply_text.as_text(outcomes)}")
    for each in made:
        if each.error:
            say_error(each.error)
    return google_cloud.exit_code(made, outcomes)


def _show(plan: Plan, output: str) -> None:
    """Show the plan: on stdout for a person, on stderr beside JSON. What cannot be planned is said with what came of it."""
    shown = plan_text.as_text(plan, before_apply=True)
    if shown:
        click.echo(shown, err=output == "json")


def _approve(target: str, destroyed: Sequence[str], *, protect: bool, yes: bool) -> None:
    """Ask where something is destroyed or the target is protected; refuse where nobody can be asked."""
    reasons = [f"{', '.join(destroyed)} would be destroyed"] if destroyed else []
    reasons += [f"target '{target}' is protected"] if protect else []
    if not reasons or yes:
        return
    said = " and ".join(reasons)
    if not sys.stdin.isatty():
        raise Refused(f"{said}, and there is no terminal to ask on", hint="look at `mlspec plan`, then add --yes")
    if not click.confirm(f"{said}. Apply?", err=True):
        raise Refused("not applied: you said no; nothing was changed")
