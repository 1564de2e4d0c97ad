"""`mlspec export`: writes what the record holds to other tools."""

from __future__ import annotations

import json

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_names
from mlspec.cli.log_options import log_options
from mlspec.cli.target import open_here
from mlspec.errors import UsageError
from mlspec.plan.exported_runs import exported_runs
from mlspec.plan.select import recorded_name


@click.group(short_help="Export versions and metrics to MLflow.")
def command() -> None:
    """Write what mlspec's record holds to other tools. The record stays as it is."""


@command.command(name="mlflow", short_help="Export versions and metrics to an MLflow tracking server.")
@click.argument("names", nargs=-1, shell_complete=complete_names)
@options.target
@options.output("text", "json")
@click.option(
    "--tracking-uri", envvar="MLFLOW_TRACKING_URI", metavar="URI", show_envvar=True,
    help="The tracking server, such as https://mlflow.example.com.",
)  # fmt: skip
@click.option(
    "--experiment", default="mlspec/{name}", show_default=True, metavar="NAME",
    help="The experiment of a forecast; {name} stands for the forecast's name.",
)  # fmt: skip
def export_mlflow(names: tuple[str, ...], target: str, output: str, tracking_uri: str | None, experiment: str) -> None:
    """Export each version of the named forecasts, or of all, as a run of an MLflow experiment.

    A run has the version's lineage as parameters, the metrics of its backtest, and tags that say its state and its share of
    traffic. The version that serves has the realised metrics too. A second export adds nothing, and brings metrics and tags that
    have changed. It needs the extra mlflow.
    """
    if not tracking_uri:
        raise UsageError("no tracking server is named", hint="add --tracking-uri URI, or set MLFLOW_TRACKING_URI")
    opened = open_here(target)
    known = opened.forecast_names()
    for name in names:
        recorded_name(name, known)
    chosen = tuple(dict.fromkeys(names)) or known
    if "{name}" not in experiment and len(chosen) > 1:
        raise UsageError(
            f"--experiment: '{experiment}' would hold the versions of {len(chosen)} forecasts",
            hint="let the name contain {name}, or export one forecast",
        )
    from mlspec.targets.mlflow_tracking import MlflowTracking

    tracking = MlflowTracking(tracking_uri)
    rows = []
    for name in chosen:
        counts = tracking.export_runs(
            experiment.replace("{name}", name), exported_runs(opened.load_versions(name), opened.observe_forecast(name))
        )
        rows.append({"forecast": name, "added": counts.added, "changed": counts.changed, "unchanged": counts.unchanged})
        if output == "text":
            click.echo(f"{name}: {counts.added} runs added, {counts.changed} changed, {counts.unchanged} as they were")
    if output == "json":
        click.echo(json.dumps({"forecasts": rows}, indent=2))


export_mlflow.params += log_options(of_group=False)
