"""The files of a new project, as text by path."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Mapping
from typing import Any

from mlspec.render.docker_text import quote_pattern, quote_word
from mlspec.render.environment import jinja_environment
from mlspec.render.yaml_text import quote_list, quote_scalar, quote_value

REQUIREMENTS = "requirements-mlspec.txt"  # the source from which the project's builds install mlspec
LOCK = "requirements-mlspec.lock"  # what mlspec itself needs in the project's builds, by version and digest
# Images of builds, by the digest of their index, so that a build does not run what somebody pushed under the same tag.
IMAGES = {
    "python_image": "python:3.12.14-slim-trixie@sha256:f77ac9e44ae96ef2c90b8053ea08c31f8be030f824196b0ae4db6d462c84e51f",
    "docker_image": "gcr.io/cloud-builders/docker@sha256:3d00b6c1a9b862621c30fc74d4f2abfc62bcbdee631ed3febd31e7edbdf6252c",
    "terraform_image": "hashicorp/terraform:1.11.4@sha256:5820b87995595425074f881500a037b0ccd41158d0d9b44d78f5f120612f2d3d",
}
# The path of each template's file in a project.
FILES = {
    "mlspec.yaml.j2": "mlspec.yaml",
    "README.md.j2": "README.md",
    "gitignore.j2": ".gitignore",
    "requirements.txt.j2": REQUIREMENTS,
    "requirements.lock.j2": LOCK,
    "Dockerfile.j2": "Dockerfile",
    "dockerignore.j2": ".dockerignore",
}
_WHEEL = re.compile(r"\./(.+\.whl)\[")  # a requirements line that names a wheel in the project's folder
# The files of each service that runs builds: `mlspec init --ci`.
CI_FILES = {
    "github": {"github.yml.j2": ".github/workflows/forecasts.yml"},
    "gitlab": {"gitlab-ci.yml.j2": ".gitlab-ci.yml"},
    "cloudbuild": {"cloudbuild.yaml.j2": "cloudbuild.yaml"},
}


def project_files(facts: Mapping[str, Any], services: Collection[str] = tuple(CI_FILES)) -> dict[str, str]:
    """Return every file of a project but its specs and data, with the builds of `services`.

    `facts`: name (the project's), spec (name of its first spec), package (the line of a requirements file by which builds get
    mlspec, None where it is not known), why (it is not), held (what the image needs besides mlspec.yaml: folders and files; specs
    and data, if left out), language (a LanguageProposal for the pages, if there is one).
    """
    wheel = _WHEEL.match(facts["package"] or "")
    facts = {"held": ("specs", "data"), "language": None, "wheel": wheel[1] if wheel else None, **facts}
    builds = [CI_FILES[service] for service in CI_FILES if service in services]
    templates = FILES | {template: path for files in builds for template, path in files.items()}
    return {path: _render_template(template, facts) for template, path in templates.items()}


def spec_file(facts: Mapping[str, Any]) -> str:
    """Return the spec for a profiled file. `facts`: name, uri, and the profile's values under `profile`."""
    return _render_template("spec.yaml.j2", facts)


def _render_template(template: str, facts: Mapping[str, Any]) -> str:
    overlay = jinja_environment().overlay()
    overlay.filters.update(
        yaml=quote_scalar, yaml_list=quote_list, yaml_value=quote_value, comment=comment_lines, requirement=requirement,
        docker_word=quote_word, docker_pattern=quote_pattern,
    )  # fmt: skip
    return overlay.get_template(f"project/{template}").render(requirements=REQUIREMENTS, lock=LOCK, **IMAGES, **facts)


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
