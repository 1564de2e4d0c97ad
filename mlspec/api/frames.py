"""Rows as data frames: numbers as numbers, periods as timestamps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlspec.engine.rows import PlainRows
from mlspec.errors import MissingExtra

if TYPE_CHECKING:
    import pandas as pd


def to_frame(rows: PlainRows, zone: str | None = None) -> pd.DataFrame:
    """Return rows as a data frame with the same columns in the same order.

    Dates are timestamps without a zone; times of day are those of `zone`, if they carry an offset. Raises MissingExtra without
    pandas.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("pandas", "forecast") from error
    columns = [
        _as_times(values, zone) if name in rows.times else _as_values(values)
        for name, values in ((name, [row[at] for row in rows.values]) for at, name in enumerate(rows.columns))
    ]
    return pd.DataFrame(dict(zip(rows.columns, columns, strict=True)), columns=rows.columns)


def _as_values(values: Sequence[Any]) -> pd.Series[Any]:
    """Return plain values as a column. Where nothing is known, it is one of numbers: a metric that nothing was measured for."""
    import pandas as pd

    nothing_known = bool(values) and all(value is None for value in values)
    return pd.Series(list(values), dtype="float64") if nothing_known else pd.Series(list(values))


def _as_times(values: Sequence[str | None], zone: str | None) -> pd.Series[Any]:
    """Return ISO texts as timestamps. Across a change of the clocks offsets differ, so they are read as UTC first."""
    import pandas as pd

    has_offset = any(value is not None and "T" in value and _has_offset(value) for value in values)
    times = pd.to_datetime(pd.Series(list(values), dtype="object"), format="ISO8601", utc=has_offset)
    return times.dt.tz_convert(zone) if has_offset and zone else times


def _has_offset(value: str) -> bool:
    clock = value.partition("T")[2]
    return clock.endswith("Z") or "+" in clock or "-" in clock
