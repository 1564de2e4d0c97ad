"""The reference page of the language, as Markdown, from the same models as `explain` and the JSON Schema."""

from __future__ import annotations

from mlspec.spec.explain import Explanation, all_paths, explain

_HEAD = """\
# Every field of a spec

Made by `scripts/reference` from the models that validate a spec; do not edit. `mlspec explain FIELD` prints the same.

| field | type | default | meaning |
| --- | --- | --- | --- |
"""


def reference() -> str:
    """Return the page."""
    rows = [_row(found) for path in all_paths() if (found := explain(path)) is not None]
    return _HEAD + "".join(rows)


def _row(found: Explanation) -> str:
    default = "**required**" if found.required else f"`{found.default}`" if found.default is not None else ""
    cells = (f"`{found.path}`", found.type, default, found.description)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |\n"
