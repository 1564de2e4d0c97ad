"""Where the folders that travel with mlspec lie: `templates`, `infra`, `data`, `specs`.

In a checkout they stand at the top level; in an installed wheel they are packed under `mlspec/_assets`
(pyproject.toml, `tool.hatch.build.targets.wheel.sources`). This is the one function that knows both places.
"""

from __future__ import annotations

from pathlib import Path


def asset_folder(name: str) -> Path:
    """Return the folder `name` (`templates`, `infra`, `data` or `specs`) that belongs to this mlspec."""
    package = Path(__file__).resolve().parent
    packaged = package / "_assets" / name
    return packaged if packaged.is_dir() else package.parent / name
