"""The one Jinja environment: strict, and without a way out of its own folder."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlspec.assets import assets


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return the environment for mlspec's own templates. HTML is escaped; a name that is not given is an error."""
    made = Environment(
        loader=FileSystemLoader(assets("templates")),
        undefined=StrictUndefined,
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),  # noqa: S701  (YAML is quoted by a filter of its own)
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters.update(number=number, percent=percent)
    return made


def number(value: float | None) -> str:
    """Return a figure for a table: whole from 100 on, four significant digits below; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.4g}"


def percent(value: float | None) -> str:
    """Return a share as a percentage; a dash for None."""
    return "–" if value is None else f"{value:.1%}"
