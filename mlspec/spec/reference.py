"""The reference page of the language, as Markdown, from the same models and tables as `explain`, `validate` and the JSON Schema."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from mlspec.spec.checks import CHECKS
from mlspec.spec.checks.metrics import METRICS
from mlspec.spec.checks.project import targets
from mlspec.spec.explain import Explanation, all_paths, explain
from mlspec.spec.gcp.resource_names import NAMES

_HEAD = """\
# Every field of the language

Made by `scripts/reference` from the models that validate a spec; do not edit. `mlspec explain FIELD` prints the same field by
field, and `mlspec schema` says it to an editor. What is not **required** may be left out; a field without a default then has no
value.

## A forecast

"""
_PROJECT = """\
## mlspec.yaml

The file at the project's root names the targets, and what all specs share. `local` is there without an entry.

"""
_RULES = """\
## What is checked beyond single fields

`mlspec validate` says every fault of every file at once, each at its line. Beside each field's own type and limits:

"""
_METRICS = """\
## Metrics

What a metric can be, the side on which an alert may call it bad, and the fewest quantiles that it needs.

"""
_NAMES = """\
## Names in Google Cloud

What is named after a forecast, and how long such a name may be. A name that would be too long keeps its ending; the forecast's
name in it is cut and closed by six digits of its sha256. An endpoint's id is made of digits alone, from the same sum.

"""


def reference() -> str:
    """Return the page."""
    pages = (
        _HEAD + _document("forecast"),
        _PROJECT + _document("project"),
        _RULES + _rules(),
        _METRICS + _metrics(),
        _NAMES + _names(),
    )
    return "\n".join(pages)


def _document(kind: str) -> str:
    found = [each for path in all_paths(kind) if (each := explain(path, kind)) is not None]
    tops = [each for each in found if "." not in each.path]
    plain = [each for each in tops if not each.below]
    sections = [_fields(plain)]
    for top in tops:
        inside = [each for each in found if each.path.startswith(f"{top.path}.")]
        if inside:
            said = "required" if top.required else "optional"
            sections.append(
                f"### `{top.path}`\n\n{top.description} {top.type.capitalize()}, {said}.\n\n{_yaml(top)}{_fields(inside)}"
            )
    return "\n".join(sections)


def _yaml(found: Explanation) -> str:
    return f"```yaml\n{found.example}\n```\n\n" if found.example else ""


def _fields(found: Iterable[Explanation]) -> str:
    return _table(("field", "type", "default", "meaning"), [_row(each) for each in found])


def _row(found: Explanation) -> tuple[str, ...]:
    default = "**required**" if found.required else f"`{found.default}`" if found.default is not None else ""
    return f"`{found.path}`", found.type, default, found.description


def _rules() -> str:
    found = [*(check for check, _ in CHECKS), targets]
    sentences = [" ".join((check.__doc__ or "").split()) for check in found]
    return "".join(f"- {sentence}\n" for sentence in sentences)


def _metrics() -> str:
    rows = [
        (
            f"`{name}`",
            f"{metric.low:g} to {metric.high:g}" if metric.high < math.inf else f"{metric.low:g} or more",
            ", ".join(f"`{side}`" for side in metric.sides),
            str(metric.quantiles or ""),
        )
        for name, metric in METRICS.items()
    ]
    return _table(("metric", "values", "an alert's side", "quantiles"), rows)


def _names() -> str:
    rows = [(row.kind, f"`{row.template.format(name='NAME')}`", str(row.longest), f"`{row.source}`") for row in NAMES]
    return _table(("what", "name", "at most", "where the limit is from, below https://cloud.google.com"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines)
