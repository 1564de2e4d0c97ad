"""`mlspec rehearse`: simulates a fault on a copy of a forecast."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.escape import printable
from mlspec.cli.project import find_root, open_named_spec
from mlspec.cli.target import open_engine
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.context import Engine
from mlspec.engine.rehearsal import BAD_FACTOR, FAULTS, Fault, Rehearsal, RehearsalPeriod, RehearsalVerdict, periods_for
from mlspec.engine.target_kinds import open_target
from mlspec.errors import Exit
from mlspec.plan.select import known_name
from mlspec.temporary_folder import temporary_folder


@click.command(short_help="Simulate a fault on a copy: alert, rollback, recovery.")
@click.argument("name", shell_complete=complete_names)
@click.option("--fault", type=click.Choice(list(FAULTS)), required=True, help="The fault to simulate.")
@options.output("text", "json")
def command(name: str, fault: Fault, output: str) -> int:
    """Simulate a fault on a copy of the project, and show what the loop does: alert, rollback, recovery.

    The last periods of the real history are replayed, one by one, with the fault in them. The loop runs at the moments when
    each period's actuals arrive. Your own state is not changed, and no notices are sent: they are listed. Exits with 3 if an
    expected reaction is missing.
    """
    root = find_root()
    specs = {spec.name: spec for spec in open_named_spec(name, "local").specs}
    spec = specs[known_name(name, tuple(specs))]
    from mlspec.jobs.rehearsal_project import ScaledForecastSteps, build_replayed_project

    with temporary_folder() as folder:
        project_folder = folder / "project"
        base = open_engine(open_target(None, project_folder, "local"), project_folder, ignore_progress)
        scaled_steps = ScaledForecastSteps(base.steps, BAD_FACTOR)
        rehearsal = Rehearsal(
            build_replayed_project(spec.forecast, root, project_folder, periods_for(spec.forecast)),
            _engine_at(replace(base, steps=scaled_steps)),
            scaled_steps,
            fault,
        )
        if output == "text":
            click.echo(f"{name}: a rehearsal on a copy of the project: {FAULTS[fault]}")
        scenes = []
        for scene in rehearsal.play_periods():
            scenes.append(scene)
            if output == "text":
                _print_period(scene)
        ending = rehearsal.judge_events()
    if output == "json":
        summary = {
            "forecast": name,
            "fault": fault,
            "scenes": [asdict(period) for period in scenes],
            "seen": dict(ending.seen),
        }
        click.echo(json.dumps({**summary, "well": ending.is_expected}, indent=2, allow_nan=False))
    else:
        _print_verdict(ending)
    return Exit.DONE if ending.is_expected else Exit.NOT_WELL


def _engine_at(base: Engine) -> Callable[[str], Engine]:
    return lambda moment: replace(base, clock=lambda: moment)


def _print_period(scene: RehearsalPeriod) -> None:
    """Print one period: the fault, what the loop did, and the states of the alerts."""
    if scene.fault:
        click.echo(f"{scene.moment}  >> {scene.fault}")
    for line in scene.said:
        click.echo(f"{scene.moment}  {printable(line)}")
    shares = ", ".join(f"{version} {share} %" for version, share in scene.traffic.items()) or "nothing"
    states = ", ".join(f"{alert} {state}" for alert, state in scene.alerts.items()) or "none"
    click.echo(f"{scene.moment}  serving: {shares}; alerts: {states}")
    for line in scene.told:
        click.echo(f"{scene.moment}  would notify {printable(line)}")


def _print_verdict(ending: RehearsalVerdict) -> None:
    click.echo("")
    for what, seen in ending.seen.items():
        click.echo(f"{'yes' if seen else 'NO '}  {what}")
