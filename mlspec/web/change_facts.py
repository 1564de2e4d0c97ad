"""A comparison of two forecasts as the facts of a page."""

from __future__ import annotations

from mlspec.plan.forecast_changes import ForecastChanges, SeriesChange
from mlspec.render.change_part import SHOWN_SERIES, ChangePart, ChangeRow
from mlspec.render.series_listing import series_name


def change_part(columns: tuple[str, ...], changes: ForecastChanges) -> ChangePart:
    """Return what a page shows of a comparison. `columns` name a series."""
    shown = changes.series[:SHOWN_SERIES] if columns else ()
    return ChangePart(
        first=changes.periods[0],
        last=changes.periods[-1],
        periods=len(changes.periods),
        total=_row("", changes.total),
        rows=[_row(series_name(columns, each.series), each) for each in shown],
        hidden=len(changes.series) - len(shown) if columns else 0,
        moved=sum(bool(each.change) for each in changes.series),
        series=len(changes.series),
        new=changes.new,
        gone=changes.gone,
    )


def _row(name: str, change: SeriesChange) -> ChangeRow:
    return ChangeRow(name, change.before, change.after, change.change, change.share)
