"""Gets the profile of a data file from `forecast.profile`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlspec.errors import MissingExtra


def profile_data(file: Path, words: dict[str, Any], series: tuple[str, ...] | None) -> Any:
    """Return the profile of a CSV or Parquet file. Raises DataError if it has no usable columns, MissingExtra without pandas."""
    try:
        from mlspec.jobs.profile import profile_file
    except ImportError as error:
        raise MissingExtra(error.name or "pandas", "forecast") from error
    return profile_file(file, words, series)
