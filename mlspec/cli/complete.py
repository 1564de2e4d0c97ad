"""What a shell completes: names of forecasts and fields of specs. Importing this module is fast: each key press may start it."""

from __future__ import annotations

import re
from pathlib import Path

import click

_NAME = re.compile(r"^\s*(?:metadata:\s*\{[^}]*?\bname:|name:)\s*[\"']?([a-z][a-z0-9-]*)", re.MULTILINE)
_MOST_FILES = 1_000


def complete_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of the project's forecasts, as its specs have them, that begin with what was typed."""
    names = {_read_name(file) for file in sorted(Path("specs").glob("*.y*ml"))[:_MOST_FILES]}
    return sorted(name for name in names if name and name.startswith(incomplete))


def complete_fields(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the fields of a spec, the metrics, and the terms of one word, that begin with what was typed."""
    from mlspec.models.package_metrics import offered_names
    from mlspec.spec.explain import all_paths
    from mlspec.spec.glossary import TERMS
    from mlspec.spec.metrics import METRICS

    words = dict.fromkeys((*all_paths(), *METRICS, *offered_names(), *(term for term in TERMS if " " not in term)))
    return [word for word in words if word.startswith(incomplete)]


def _read_name(file: Path) -> str | None:
    """Return the first name in a spec, which is that of its metadata; None if there is none."""
    try:
        match = _NAME.search(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
    return match[1] if match else None
