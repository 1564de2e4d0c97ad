"""The files of a new project, as text by path."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from mlspec.render.environment import jinja_environment
from mlspec.render.yaml_text import quote_list, quote_scalar

REQUIREMENTS = "requirements-mlspec.txt"  # the source from which the project's builds install mlspec
# The path of each template's file in a project.
FILES = {
    "mlspec.yaml.j2": "mlspec.yaml",
    "README.md.j2": "README.md",
    "gitignore.j2": ".gitignore",
    "requirements.txt.j2": REQUIREMENTS,
    "github.yml.j2": ".github/workflows/forecasts.yml",
    "cloudbuild.yaml.j2": "cloudbuild.yaml",
}


def project_files(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return every file of a project but its specs and data.

    `facts`: name (the project's), spec (name of its first spec), package (the line of a requirements file by which builds get
    mlspec, None where it is not known), why (it is not).
    """
    return {path: _render_template(template, facts) for template, path in FILES.items()}


def spec_file(facts: Mapping[str, Any]) -> str:
    """Return the spec for a profiled file. `facts`: name, uri, and the profile's values under `profile`."""
    return _render_template("spec.yaml.j2", facts)


def _render_template(template: str, facts: Mapping[str, Any]) -> str:
    overlay = jinja_environment().overlay()
    overlay.filters.update(yaml=quote_scalar, yaml_list=quote_list, comment=comment_lines, requirement=requirement)
    return overlay.get_template(f"project/{template}").render(requirements=REQUIREMENTS, **facts)


def comment_lines(text: str, indent: int = 2) -> str:
    """Return text as comment lines, so that no part of it is read as YAML."""
    flat = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return "\n".join(f"{' ' * indent}# {line}" for line in textwrap.wrap(flat, 110, break_on_hyphens=False))


def requirement(text: str) -> str:
    """Return text as one line of a requirements file. Raises ValueError for several lines, an option or a comment.

    The format has no quotes: a line ends at ` #`, and continues after a backslash.
    """
    is_plain = text.isascii() and text.isprintable() and not text.endswith("\\")
    if not is_plain or " #" in text or not re.match(r"[\w.]", text):
        raise ValueError(f"{text!r} is not a line of a requirements file")
    return text
