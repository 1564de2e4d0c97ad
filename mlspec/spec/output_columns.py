"""The names of the columns that mlspec writes, which no series column and no time column may have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mlspec.models import SERIES

_OUTPUT_COLUMNS = re.compile(
    r"forecast|cutoff|mean|version|q0?\.[0-9]+|protection_demand|safety_stock|reorder_point|order_up_to", re.IGNORECASE
)
METHOD = "method"  # only where `Dataset.tells_methods`
LEVEL, DAYS = "level", "days"  # only in the tables of `Dataset.levels` and of weeks


def is_level_column(name: str) -> bool:
    """Return whether the tables of levels and of weeks have a column of this name, whatever the levels are."""
    return name.lower() in (LEVEL, DAYS)


def is_output_column(name: str, series: Sequence[str] = ()) -> bool:
    """Return whether mlspec writes a column of this name; `series` are all series columns of the dataset."""
    return bool(_OUTPUT_COLUMNS.fullmatch(name)) or (name == SERIES and name in series and len(series) > 1)
