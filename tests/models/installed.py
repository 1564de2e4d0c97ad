"""Puts packages into a folder as an installer does, for tests: their modules, and a dist-info folder with their entry points."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

PACKAGES = Path(__file__).parent / "packages"


def write_dist_info(site: Path, name: str, version: str, points: Mapping[str, Mapping[str, str]]) -> Path:
    """Write what stands beside a package's modules, and return its folder. `points` are entry points by group and name."""
    about = site / f"{name.replace('-', '_')}-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    sections = (f"[{group}]\n{_point_lines(named)}" for group, named in points.items())
    (about / "entry_points.txt").write_text("\n".join(sections))
    return about


def _point_lines(named: Mapping[str, str]) -> str:
    return "".join(f"{name} = {value}\n" for name, value in named.items())


def install_package(site: Path, folder: str, packages: Path = PACKAGES) -> Path:
    """Install a package, with one module of its folder's name, into a folder of packages. `packages` has the package's folder."""
    project = tomllib.loads((packages / folder / "pyproject.toml").read_text())["project"]
    site.mkdir(parents=True, exist_ok=True)
    shutil.copy(packages / folder / f"{folder}.py", site)
    return write_dist_info(site, project["name"], project["version"], project["entry-points"])
