"""Where the builds of a new project get mlspec from: `--package`, or the source that this mlspec was installed from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mlspec.errors import UsageError
from mlspec.installation import DISTRIBUTION, LocalPath, Origin, Published

_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}(:\$\{[A-Z0-9_]+\})?")  # credentials that the build fills in: PEP 610 and pip
_FORMS = (
    f"give '{DISTRIBUTION}==1.2.3', 'https://HOST/FILE.whl#sha256=DIGEST', 'git+https://HOST/REPOSITORY@TAG', "
    "or the path of a wheel in the project's folder"
)


def chosen_package(text: str, extras: Sequence[str]) -> str:
    """Return the requirements line of the option `--package`; `extras` are added if it names none.

    Raises UsageError for a package that is not pinned, is not mlspec, holds a password, or exists only on this machine.
    """
    text = text.strip()
    if not text.isascii() or not text.isprintable() or not text:
        raise UsageError("--package is not one line of plain text", hint=_FORMS)
    if "://" not in text and text.endswith(".whl"):
        return _wheel(text, extras)
    try:
        asked = Requirement(text if "://" not in text or " @ " in text else f"{DISTRIBUTION} @ {text}")
    except InvalidRequirement:
        raise UsageError(f"--package {text!r} names no package", hint=_FORMS) from None
    if canonicalize_name(asked.name) != DISTRIBUTION:
        raise UsageError(f"--package names '{asked.name}', and mlspec's package is '{DISTRIBUTION}'", hint=_FORMS)
    reference = f" @ {_pinned_url(asked.url)}" if asked.url else _pinned_version(asked)
    return Published(reference).requirement(sorted(asked.extras) or extras)


def detected_package(origin: Origin, extras: Sequence[str]) -> str | None:
    """Return the requirements line of the source that mlspec was installed from; None if no other machine can fetch it."""
    return origin.requirement(extras) if isinstance(origin, Published) else None


def why_unknown(origin: Origin) -> str:
    """Return, as a sentence, why builds cannot get this mlspec from its own source."""
    if isinstance(origin, LocalPath):
        return f"mlspec was installed from {origin.path}, which no other machine has."
    return "The installer did not record where mlspec was installed from."


def _wheel(text: str, extras: Sequence[str]) -> str:
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or any(char in text for char in " #[]"):
        raise UsageError(f"--package {text!r} is not a wheel in the project's folder", hint=_FORMS)
    return f"./{path}[{','.join(extras)}]"


def _pinned_version(asked: Requirement) -> str:
    pins = list(asked.specifier)
    if len(pins) != 1 or pins[0].operator != "==" or pins[0].version.endswith(".*"):
        raise UsageError(f"--package '{asked}' names no single version", hint=_FORMS)
    return f"=={pins[0].version}"


def _pinned_url(url: str) -> str:
    parts = urlsplit(url)
    scheme = parts.scheme.removeprefix("git+")
    if scheme not in ("https", "ssh") or not parts.hostname:
        raise UsageError(f"--package {url!r} is not an address that a build can fetch by https or ssh", hint=_FORMS)
    user = parts.netloc.rpartition("@")[0]
    if user and user != "git" and not _VARIABLE.fullmatch(user):
        raise UsageError(
            "--package holds a user or password, which would be committed with the project",
            hint="let the build fill it in: https://${USER}:${PASSWORD}@HOST/…",
        )
    if parts.scheme.startswith("git+") and "@" not in parts.path:
        raise UsageError(f"--package {url!r} names no tag or commit", hint=_FORMS)
    return url
