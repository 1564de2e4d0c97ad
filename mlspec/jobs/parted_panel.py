"""Opens the panel of a step so that memory holds one of its parts at a time."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
from pandas.api.types import is_object_dtype

from mlspec.forecast.frame import ID, PREFIX, TIME, cross_periods
from mlspec.forecast.stored_panel import PartedPanel, StoredPanel
from mlspec.jobs.context import active_series, panel_layout, read_panel, refuse_other_covariates, require_input
from mlspec.jobs.files import read_arrow, read_schema, read_table
from mlspec.jobs.panel_parts import PanelPart, series_parts
from mlspec.spec.forecast import Forecast
from mlspec.state.step import StepRequest


def open_panel(request: StepRequest, spec: Forecast) -> PartedPanel:
    """Return the panel of `read_panel`, of which each part is read when it is needed. A small one has one part, and is read now.

    A digest of its name puts a series into its part (`series_parts.place_series`). So the series of one part are like all others,
    and the same ones each time. Raises as `read_panel` does.
    """
    parts = series_parts(request.inputs)
    if len(parts) < 2:
        return read_panel(request, spec)
    layout, series, schema = panel_layout(spec), active_series(request), read_schema(parts[0].paths[0])
    refuse_other_covariates(layout, schema.names, series)
    spans = [read_spans(part) for part in parts]
    times = pd.DatetimeIndex(sorted({time for span in spans for time in span.times}))
    horizon = layout.frequency.periods_after(times[-1], layout.horizon)
    future = read_table(require_input(request, "future")) if layout.known else cross_periods(series[ID], horizon)
    static = series[[ID, *layout.static]]
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    texts += [str(name) for name in static if is_object_dtype(static[name])]
    return StoredPanel(
        tuple(part.read for part in parts), tuple(span.first_periods for span in spans), times, static, future, layout,
        tuple(name for name in texts if name.startswith(PREFIX)),
    )  # fmt: skip


@dataclass(frozen=True)
class PartSpans:
    """The first period of each series of a part, by unique_id, and the periods of all its rows."""

    first_periods: pd.Series
    times: pd.DatetimeIndex


def read_spans(part: PanelPart) -> PartSpans:
    """Return from which period on each series has rows, and all periods, without reading the other columns."""
    rows = pa.concat_tables([read_arrow(path, [ID, TIME]) for path in part.paths])
    first = rows.group_by(ID, use_threads=False).aggregate([(TIME, "min")]).to_pandas().set_index(ID)
    return PartSpans(first[f"{TIME}_min"].sort_index(), pd.DatetimeIndex(rows[TIME].unique().to_pandas()))
