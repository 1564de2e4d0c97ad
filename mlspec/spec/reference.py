"""Makes the reference page of the language in Markdown, from the models and tables of `explain`, `validate` and the schema."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mlspec.spec.checks import CHECKS
from mlspec.spec.checks.project import check_networks, check_package_targets, check_retention, check_targets
from mlspec.spec.explain import Explanation, all_paths, explain_field
from mlspec.spec.gcp.resource_names import NAMES
from mlspec.spec.metrics import METRICS

_FORECAST_HEAD = """\
# Every field of the language

Made by `scripts/reference` from the models that validate a spec; do not edit. `mlspec explain FIELD` prints the same for one field,
and `mlspec schema` writes a JSON Schema for editors. A field that is not **required** may be left out; without a default it then
has no value.

## A forecast

"""
_PROJECT_HEAD = """\
## mlspec.yaml

The file at the project's root names the targets, and the defaults of all specs. The target `local` needs no entry.

"""
_RULES_HEAD = """\
## What is checked beyond single fields

`mlspec validate` reports every fault of every file at once, each with its line. Besides each field's type and limits it checks:

"""
_METRICS_HEAD = """\
## Metrics

What each metric is, its possible values, the sides that an alert may use, and the fewest quantiles that it needs. An alert on a
metric that blames the version can roll back the version whose forecasts or responses were measured; an alert on any other metric
counts for the version that served when it began. An alert on a metric that asks for training may start a training.

"""
_NAMES_HEAD = """\
## Names in Google Cloud

The resources that are named after a forecast, and the greatest length of each name. If a name would be too long, the forecast's
name in it is cut and gets six digits of its sha256; the ending is kept. An endpoint's id is another one each time it is created.

"""


def reference_page() -> str:
    """Return the page."""
    pages = (
        _FORECAST_HEAD + _document_sections("forecast"),
        _PROJECT_HEAD + _document_sections("project"),
        _RULES_HEAD + _rule_list(),
        _METRICS_HEAD + _metrics_table(),
        _NAMES_HEAD + _names_table(),
    )
    return "\n".join(pages)


def _document_sections(kind: str) -> str:
    explanations = [explanation for path in all_paths(kind) if (explanation := explain_field(path, kind)) is not None]
    tops = [explanation for explanation in explanations if "." not in explanation.path]
    plain = [explanation for explanation in tops if not explanation.below]
    sections = [_fields_table(plain)]
    for top in tops:
        inside = [explanation for explanation in explanations if explanation.path.startswith(f"{top.path}.")]
        if inside:
            presence = "required" if top.required else "optional"
            sections.append(
                f"### `{top.path}`\n\n{top.description} {top.type.capitalize()}, {presence}.\n\n"
                f"{_yaml_block(top)}{_fields_table(inside)}"
            )
    return "\n".join(sections)


def _yaml_block(explanation: Explanation) -> str:
    return f"```yaml\n{explanation.example}\n```\n\n" if explanation.example else ""


def _fields_table(explanations: Iterable[Explanation]) -> str:
    return _markdown_table(
        ("field", "type", "default", "meaning"), [_field_row(explanation) for explanation in explanations]
    )


def _field_row(explanation: Explanation) -> tuple[str, ...]:
    default = (
        "**required**"
        if explanation.required
        else f"`{explanation.default}`"
        if explanation.default is not None
        else ""
    )
    return f"`{explanation.path}`", explanation.type, default, explanation.description


def _rule_list() -> str:
    rule_checks = [
        *(check for check, _ in CHECKS),
        check_targets,
        check_package_targets,
        check_networks,
        check_retention,
    ]
    sentences = [" ".join((check.__doc__ or "").split()) for check in rule_checks]
    return "".join(f"- {sentence}\n" for sentence in sentences)


def _metrics_table() -> str:
    rows = [
        (
            f"`{name}`",
            metric.meaning,
            f"{metric.low:g} to {metric.high:g}" if metric.high < math.inf else f"{metric.low:g} or more",
            ", ".join(f"`{side}`" for side in metric.sides),
            str(metric.quantiles or ""),
            "yes" if metric.blames_version else "",
            "yes" if metric.asks_training else "",
        )
        for name, metric in METRICS.items()
    ]
    head = ("metric", "is", "values", "an alert's side", "quantiles", "blames the version", "asks for training")
    return _markdown_table(head, rows)


def _names_table() -> str:
    rows = [(row.kind, f"`{row.template.format(name='NAME')}`", str(row.longest), f"`{row.source}`") for row in NAMES]
    return _markdown_table(("what", "name", "at most", "where the limit is from, below https://cloud.google.com"), rows)


def _markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
