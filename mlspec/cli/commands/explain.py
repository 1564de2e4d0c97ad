"""`mlspec explain`: what a field of a spec, or a metric, means."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from textwrap import indent
from typing import TYPE_CHECKING, Any

import click

from mlspec.cli import options
from mlspec.cli.complete import complete_fields
from mlspec.errors import UsageError

if TYPE_CHECKING:
    from mlspec.spec.explain import Explanation
    from mlspec.spec.metrics import Metric


@click.command(short_help="Explain a field of a spec, or a metric.")
@click.argument("field", default="", metavar="[FIELD]", shell_complete=complete_fields)
@click.option(
    "--kind",
    type=click.Choice(["forecast", "project"]),
    default="forecast",
    show_default=True,
    help="The kind of document.",
)
@options.output("text", "json")
def command(field: str, kind: str, output: str) -> None:
    """Explain a field of a spec: its type, default, limits and an example. Or a metric: wape, coverage, psi …

    FIELD is a dotted path: rollback.cooldown, alerts.metric, model.candidates.gradient-boosting.lags, or one that `validate`
    printed: alerts[0].metric. If it is left out, the top-level fields are shown.
    """
    from mlspec.spec.explain import explain_field, nearest_path
    from mlspec.spec.metrics import METRICS

    if field in METRICS:
        click.echo(
            json.dumps(_metric_json(METRICS[field]), indent=2) if output == "json" else _metric_text(METRICS[field])
        )
        return
    explanation = explain_field(field, kind)
    if explanation is None:
        meant = nearest_path(field, kind)
        hint = f"did you mean '{meant}'?" if meant else "`mlspec explain` lists the top"
        raise UsageError(f"there is no field '{field}'", hint=hint)
    click.echo(json.dumps(asdict(explanation), indent=2) if output == "json" else _explanation_text(explanation, kind))


def _explanation_text(explanation: Explanation, kind: str) -> str:
    requirement = (
        "required"
        if explanation.required
        else "optional"
        if explanation.default is None
        else f"default: {explanation.default}"
    )
    blocks = [
        f"{click.style(explanation.path or f'kind: {kind.capitalize()}', bold=True)}\n  {explanation.description}"
    ]
    if explanation.path:
        blocks[0] += f"\n  {explanation.type}; {requirement}"
        blocks += [f"  example:\n{indent(explanation.example, '    ')}"] if explanation.example else []
    if explanation.below:
        width = max(map(len, explanation.below))
        blocks.append("\n".join(f"  {key.ljust(width)}  {sentence}" for key, sentence in explanation.below.items()))
    return "\n\n".join(blocks)


def _metric_json(metric: Metric) -> dict[str, Any]:
    """Return what is declared of a metric; a bound that it has not is null."""
    return {key: None if value in (math.inf, -math.inf) else value for key, value in asdict(metric).items()}


def _metric_text(metric: Metric) -> str:
    """Return what a metric means, which values are good, and what follows where they are not."""
    good = {"drift": "0 is no difference", "data": "none is worse by itself"}.get(metric.kind, "less is better")
    if metric.ideal is not None:
        ideal = "the share between the outermost quantiles" if metric.ideal == "nominal" else f"{metric.ideal:g}"
        good = f"best at {ideal}: too low and too high are both worse"
    follows = [
        *(["chooses a champion (model.backtest.metric)"] if metric.ranks else []),
        *(["judges a version before it serves (model.gate)"] if metric.kind == "accuracy" else []),
        "raises an alert (alerts.metric)",
        *(["may roll the version back that it is about (rollback.on)"] if metric.blames_version else []),
        *(["asks for a training"] if metric.asks_training else []),
    ]
    low, high = (f"{bound:g}" if abs(bound) != math.inf else "any size" for bound in (metric.low, metric.high))
    return "\n".join(
        [
            f"{click.style(metric.name, bold=True)} ({metric.title})",
            f"  {metric.meaning}",
            f"  from {low} to {high}, {_UNITS[metric.unit]}; {good}",
            *([f"  needs {metric.quantiles} quantiles or more (model.quantiles)"] if metric.quantiles else []),
            "",
            *(f"  {sentence}" for sentence in follows),
        ]
    )


# What the number of a unit means.
_UNITS = {
    "share": "a share: 0.2 is 20 %",
    "ratio": "a ratio",
    "series": "a number of series",
    "seconds": "in seconds",
    "duration": "a time, such as 10d",
}
