"""Times of a zone: what a clock change does to hours, and which zone the offsets of a column are of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from mlspec.forecast.aggregate import join_rows
from mlspec.forecast.frame import ID, TIME
from mlspec.forecast.load import TypedRows
from mlspec.forecast.reading.column import Column, TextColumn
from mlspec.forecast.reading.times import find_offsets
from mlspec.forecast.row_notes import COUNT, RowNote
from mlspec.spec.calendar import timezone_problem

# Zones that are tried on the offsets of a column, in this order: several zones share each offset.
_TRIED = (
    "America/Sao_Paulo", "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Denver",
    "America/Los_Angeles", "America/Manaus", "America/Mexico_City", "America/Santiago", "Europe/Lisbon", "Europe/Athens",
    "Africa/Johannesburg", "Asia/Dubai", "Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Australia/Sydney",
)  # fmt: skip
_MOST_TRIED = 2_000  # times of a column that are looked at


def join_repeated_hours(rows: TypedRows, zone: str) -> tuple[TypedRows, tuple[RowNote, ...]]:
    """Return the rows with one row for an hour that a clock change repeats, the mean of both, and a sentence on it.

    It stands where the later row stood.
    """
    frame = rows.frame
    twice = frame.duplicated([ID, TIME], keep=False)
    if not twice.any():
        return rows, ()
    candidates = frame[twice]
    repeated = candidates[
        _is_repeated(candidates[TIME], zone) & candidates.groupby([ID, TIME])[TIME].transform("size").eq(2)
    ]
    if repeated.empty:
        return rows, ()
    places = repeated.index.to_series().groupby([repeated[ID], repeated[TIME]], sort=True).last()
    joined = join_rows(repeated, repeated[TIME], "mean").set_axis(places.to_numpy())
    kept = pd.concat([frame.drop(repeated.index), joined]).sort_index().reset_index(drop=True)
    sentence = f"{COUNT} rows of an hour that a clock change of {zone} repeats are joined: each pair by its mean"
    return replace(rows, frame=kept), (RowNote(sentence, len(repeated)),)


def _is_repeated(times: pd.Series, zone: str) -> pd.Series:
    return times.dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna()


def skipped_hours(grid: pd.DatetimeIndex, zone: str | None) -> pd.DatetimeIndex:
    """Return the periods of a grid that a clock change of the zone leaves out: they never were."""
    if zone is None or not len(grid):
        return grid[:0]
    return grid[grid.tz_localize(zone, ambiguous=np.ones(len(grid), dtype=bool), nonexistent="NaT").isna()]


def in_utc(moment: pd.Timestamp, zone: str | None) -> pd.Timestamp:
    """Return in UTC, without a zone, what the clocks of a zone show; of an hour that a clock change repeats, the later one."""
    local = moment.tz_localize(zone or "UTC", ambiguous=False, nonexistent="shift_forward")
    return local.tz_convert("UTC").tz_localize(None)


def guess_zone(column: Column) -> tuple[str, str] | None:
    """Return the zone of a column of times with offsets, and the reason; None if they have none, or are days of UTC."""
    if not isinstance(column, TextColumn):
        named = str(getattr(column.dt, "tz", None)) if pd.api.types.is_datetime64_any_dtype(column) else "None"
        if named == "None":
            return None
        if named != "UTC" and timezone_problem(named) is None:
            return named, "the zone of the column"
        moments = column.dropna().drop_duplicates().head(_MOST_TRIED).dt.tz_convert("UTC")
        return _zone_of_midnights(moments)
    moments, offsets = find_offsets(pd.Series(column.texts.to_pylist(), dtype=object).head(_MOST_TRIED))
    if moments.empty:
        return None
    if not offsets.any():
        return _zone_of_midnights(moments)
    shown = ", ".join(sorted({_describe_offset(offset) for offset in offsets.unique()}))
    zone = next((zone for zone in _TRIED if (_offsets_in(moments, zone) == offsets).all()), None)
    if zone is None and offsets.nunique() == 1 and not offsets.iloc[0] % 60:
        zone = f"Etc/GMT{-int(offsets.iloc[0] // 60):+d}"
    return (
        None if zone is None else (zone, f"its offsets are those of the column: {shown}; --timezone names another zone")
    )


def _zone_of_midnights(moments: pd.Series) -> tuple[str, str] | None:
    """Return a zone in which all times are midnight, if they are one other time of UTC's days."""
    if (moments == moments.dt.normalize()).all():
        return None
    for zone in _TRIED:
        local = moments.dt.tz_convert(zone)
        if (local == local.dt.normalize()).all():
            return (
                zone,
                f"all times are midnight there, and {moments.iloc[0]:%H:%M} in UTC; --timezone names another zone",
            )
    return None


def _offsets_in(moments: pd.Series, zone: str) -> pd.Series:
    local = moments.dt.tz_convert(zone).dt.tz_localize(None)
    return (local - moments.dt.tz_localize(None)).dt.total_seconds() / 60


def _describe_offset(minutes: float) -> str:
    hours, rest = divmod(abs(int(minutes)), 60)
    return f"{'-' if minutes < 0 else '+'}{hours:02}:{rest:02}"
