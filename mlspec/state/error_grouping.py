"""What the errors of a forecast are grouped by."""

from __future__ import annotations

from typing import Literal

ErrorGrouping = Literal["all", "series", "horizon", "segment"]
