"""A picture of a forecast."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class ForecastChart:
    """History and newest forecast of a series, or of all series together, as a picture. A notebook shows it by itself.

    `title` is what it shows, `svg` the picture as the text of an SVG document.
    """

    title: str
    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to an SVG file. Raises OSError if it cannot be written."""
        Path(path).write_text(self.svg, encoding="utf-8")
