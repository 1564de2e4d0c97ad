"""Shows the OpenAPI document as a page: server-made HTML without a script, a style or another address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mlspec.render.environment import jinja_environment
from mlspec.web.openapi import Document


@dataclass(frozen=True, slots=True)
class ShownOperation:
    """One operation as the page shows it. `example` and the schemas are JSON text; they are empty where there is none."""

    method: str
    path: str
    summary: str
    description: str
    example: str
    request: str
    answer: str
    answers: tuple[tuple[str, str], ...]


def render_page(document: Document) -> str:
    """Return the page."""
    template = jinja_environment().get_template("api/page.html.j2")
    schemas = {name: _as_text(schema) for name, schema in document["components"]["schemas"].items()}
    return template.render(info=document["info"], operations=list(_operations(document)), schemas=schemas)


def _operations(document: Document) -> Iterator[ShownOperation]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            (content,) = operation["responses"]["200"]["content"].values()
            yield ShownOperation(
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                description=operation.get("description", ""),
                example=_as_text(body.get("example")),
                request=_as_text(body.get("schema")),
                answer=_as_text(content["schema"]),
                answers=tuple((code, answer["description"]) for code, answer in operation["responses"].items()),
            )


def _as_text(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)
