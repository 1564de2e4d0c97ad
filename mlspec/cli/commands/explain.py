"""`mlspec explain`: what a field of a spec, a metric or a term of the glossary means."""

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


@click.command(short_help="Explain a field of a spec, a metric or a term.")
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
    """Explain a field of a spec: its type, default, limits and an example.

    Or a metric: wape, coverage, psi … Or a term of the glossary: canary, cutoff, champion …

    FIELD is a dotted path: rollback.cooldown, alerts.metric, model.candidates.gradient-boosting.lags, or one that `validate`
    printed: alerts[0].metric. If it is left out, the top-level fields are shown.
    """
    from mlspec.spec.explain import explain_field
    from mlspec.spec.glossary import find_term

    explanation, term = explain_field(field, kind), find_term(field)
    if metric := _named_metric(field):
        click.echo(json.dumps(_metric_json(metric), indent=2) if output == "json" else _metric_text(metric))
    elif explanation is not None and output == "json":
        click.echo(json.dumps(asdict(explanation), indent=2))
    elif explanation is not None:
        click.echo(_explanation_text(explanation, kind))
        if term is not None:  # the field and the word that it is called by
            click.echo(f"\n{_term_text(term)}")
    elif term is not None:
        click.echo(json.dumps(_term_json(term), indent=2) if output == "json" else _term_text(term))
    else:
        raise _unknown_field(field, kind)


def _named_metric(name: str) -> Metric | None:
    """Return the metric of a name, also of an installed package; None if there is none. Raises SpecError for a broken package."""
    from mlspec.models.package_metrics import offered_names
    from mlspec.spec.explain import explain_field
    from mlspec.spec.metrics import METRICS, find_metric

    if own := METRICS.get(name.lower()):
        return own
    return find_metric(name) if explain_field(name) is None and name in offered_names() else None


def _unknown_field(field: str, kind: str) -> UsageError:
    from mlspec.spec.explain import nearest_path
    from mlspec.spec.faults import nearest_word
    from mlspec.spec.glossary import TERMS

    meant = nearest_path(field, kind) or nearest_word(field, list(TERMS))
    hint = f"did you mean '{meant}'?" if meant else "`mlspec explain` lists the top"
    return UsageError(f"there is no field, metric or term '{field}'", hint=hint)


def _term_text(term: str) -> str:
    from mlspec.spec.glossary import TERMS

    return f"{click.style(term, bold=True)}, a term\n  {TERMS[term]}"


def _term_json(term: str) -> dict[str, str]:
    from mlspec.spec.glossary import TERMS

    return {"term": term, "meaning": TERMS[term]}


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
            *([f"  of the package {metric.package}"] if metric.package else []),
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
