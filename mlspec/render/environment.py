"""The Jinja environments: strict, sandboxed, and limited to their own folders.

A project can replace any of mlspec's templates by a file of the same path under its `templates/`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateNotFound
from jinja2.environment import TemplateModule
from jinja2.runtime import BlockReference, LoopContext, Macro, TemplateReference
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Namespace

from mlspec.assets import asset_folder
from mlspec.render import quote
from mlspec.spec.escaping import log_filter
from mlspec.spec.metrics import Metric

# The values whose attributes a template may read, beside those of a record (a dataclass): plain data, and Jinja's own.
_FACTS = (
    str, int, float, list, tuple, Mapping, LoopContext, Macro, BlockReference, TemplateModule,
    TemplateReference, Cycler, Namespace,
)  # fmt: skip


class _FolderLoader(BaseLoader):
    """Loads a template from the first folder that has it. A link to a file outside its folder is not followed."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = tuple(folder.resolve() for folder in folders)

    def get_source(self, _environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        for folder in self._folders:
            file = (folder / template).resolve()
            if file.is_relative_to(folder) and file.is_file():
                return file.read_text(encoding="utf-8"), str(file), partial(_is_unchanged, file, file.stat())
        raise TemplateNotFound(template)


def _is_unchanged(file: Path, before: os.stat_result) -> bool:
    current = file.stat()
    return (current.st_mtime_ns, current.st_size) == (before.st_mtime_ns, before.st_size)


class _TemplateSandbox(ImmutableSandboxedEnvironment):
    """A sandbox in which templates see facts alone: no attribute of a function, a class or a module, and nothing to change."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.globals.pop("lipsum", None)  # text of any length, for nothing

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Return whether a template may read `obj.attr`."""
        is_fact = isinstance(obj, _FACTS) or (is_dataclass(obj) and not isinstance(obj, type))
        return is_fact and super().is_safe_attribute(obj, attr, value)


@lru_cache(maxsize=8)
def jinja_environment(own: Path | None = None) -> Environment:
    """Return the environment for mlspec's templates; those under `own` take precedence.

    HTML is escaped; an undefined name is an error.
    """
    folders = (own, asset_folder("templates")) if own is not None else (asset_folder("templates"),)
    jinja = _TemplateSandbox(
        loader=_FolderLoader(folders),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),  # the other languages have their own filters
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters.update(
        number=format_number,
        percent=format_percent,
        metric=format_metric,
        hcl=quote.hcl_value,
        hcl_map=quote.hcl_map,
        tf_name=quote.tf_name,
        py=quote.python_value,
        promql=quote.promql_text,
        bigquery_name=quote.bigquery_name,
        log_filter=log_filter,
    )
    return jinja


def format_number(value: float | None) -> str:
    """Return a figure for a table: whole from 100 on, four significant digits below; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def format_percent(value: float | None) -> str:
    """Return a share as a percentage; a dash for None."""
    return "–" if value is None else f"{value:.1%}"


def format_metric(metrics: Mapping[str, float | None], metric: Metric) -> str:
    """Return a metric's figure for a table; a dash where the metrics that were recorded have none."""
    return (format_percent if metric.unit == "share" else format_number)(metrics.get(metric.name))
