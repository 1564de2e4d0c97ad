"""Checks this machine: Python, mlspec's optional parts, terraform, a writable folder and free disk space."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from mlspec.installation import DISTRIBUTION, install_command
from mlspec.plain_files import is_shared
from mlspec.state.finding import Finding

PYTHON = (3, 11)  # pyproject's requires-python
TERRAFORM = Version("1.11")  # required_version of infra/; that of the rendered files is older
# Bytes of free disk space that an apply needs. Panels, models and backtests of some hundred series take less.
ROOM = 1024**3


def check_python() -> Finding:
    """Return whether this Python is new enough."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON:
        return Finding("machine", "Python", "missing", f"{version} is older than 3.11", "install Python 3.11 or newer")
    return Finding("machine", "Python", "ok", version)


def check_extra(name: str) -> Finding:
    """Return whether an optional part of mlspec is installed in the versions that mlspec's metadata requires."""
    mend, what = install_command(name), f"extra {name}"
    try:
        lacking = sorted(set(_missing_requirements(name)))
    except metadata.PackageNotFoundError:
        return Finding("machine", what, "unknown", "mlspec itself is not installed by pip here", mend)
    if lacking:
        return Finding("machine", what, "missing", f"missing or too old: {', '.join(lacking)}", mend)
    return Finding("machine", what, "ok", "installed")


def _missing_requirements(extra: str) -> Iterator[str]:
    for requirement in map(Requirement, metadata.requires(DISTRIBUTION) or ()):
        # A package that mlspec always requires is installed, or mlspec would not run.
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            continue
        if not requirement.marker.evaluate({"extra": extra}):
            continue
        if requirement.name == DISTRIBUTION:
            for inner in requirement.extras:
                yield from _missing_requirements(inner)
        elif not _is_installed(requirement):
            yield requirement.name


def _is_installed(requirement: Requirement) -> bool:
    try:
        return requirement.specifier.contains(metadata.version(requirement.name), prereleases=True)
    except (metadata.PackageNotFoundError, InvalidVersion):
        return False


def check_terraform() -> Finding:
    """Return whether terraform is installed and new enough."""
    mend = f"install terraform {TERRAFORM} or newer: https://developer.hashicorp.com/terraform/install"
    path = shutil.which("terraform")
    if path is None:
        return Finding("machine", "terraform", "missing", "not on the PATH", mend)
    try:
        argv = [path, "version", "-json"]
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": os.environ.get("HOME", ""),
            "CHECKPOINT_DISABLE": "1",
        }
        completed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30, env=environment)
        version = Version(json.loads(completed.stdout)["terraform_version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        return Finding("machine", "terraform", "unknown", f"its version cannot be read ({type(error).__name__})", mend)
    if version.release < TERRAFORM.release:  # a release candidate counts as its release
        return Finding("machine", "terraform", "missing", f"{version} is older than {TERRAFORM}", mend)
    return Finding("machine", "terraform", "ok", str(version))


def check_folder(path: Path) -> Finding:
    """Return whether a folder can be written to or created. Writes nothing."""
    existing = _nearest_existing(path)
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding("machine", "folder", "missing", f"{existing} cannot be written to", f"chmod u+rwx '{existing}'")
    return Finding("machine", "folder", "ok", str(path))


def check_privacy(path: Path) -> Finding:
    """Return whether other users of this machine can reach what is in a folder: models, data, which version serves."""
    if not path.is_dir():
        return Finding("machine", "privacy", "ok", f"{path} will be made for you alone")
    if is_shared(path):
        open_paths = [found for found in path.rglob("*") if not found.is_symlink() and is_shared(found)]
        words = f"{path} and {len(open_paths):,} files and folders in it" if open_paths else str(path)
        return Finding("machine", "privacy", "missing", f"other users have rights to {words}", f"chmod -R go= '{path}'")
    return Finding("machine", "privacy", "ok", "only you can reach the folder")


def check_disk(path: Path) -> Finding:
    """Return whether a folder's disk has enough free space."""
    free = shutil.disk_usage(_nearest_existing(path)).free
    free_text = f"{free / 1024**3:.1f} GiB free"
    if free < ROOM:
        return Finding(
            "machine",
            "disk",
            "missing",
            f"{free_text}, below 1 GiB",
            f"free space on the disk of '{_nearest_existing(path)}'",
        )
    return Finding("machine", "disk", "ok", free_text)


def folder_size(path: Path) -> int:
    """Return the bytes of all files in a folder; 0 if there is none."""
    size = 0
    for file in path.rglob("*"):
        with suppress(OSError):  # another process has removed it meanwhile
            size += file.lstat().st_size if file.is_file() and not file.is_symlink() else 0
    return size


def _nearest_existing(path: Path) -> Path:
    return next(candidate for candidate in (path.absolute(), *path.absolute().parents) if candidate.exists())
