"""Packs the curves of series for the script of a page: the lines of one, or those of all series of a report file, compressed."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

from mlspec.render.chart import Value
from mlspec.render.page_facts import SeriesCurve

DRAWN_HISTORY = 520  # periods of a drawn chart before the forecast
_FIGURES = 2_000_000  # values of history in a report file, over all series: about 3 MB
_SHORTEST_HISTORY = 52


def packed_periods(series: int) -> int:
    """Return how many periods before the forecast a report file has of each series: fewer, if there are many."""
    return min(max(_FIGURES // max(series, 1), _SHORTEST_HISTORY), DRAWN_HISTORY)


def pack_curve(curve: SeriesCurve) -> dict[str, Any]:
    """Return the lines of a curve without the gaps at their ends: [offset, values...]."""
    return {
        "actual": _pack_line(curve.actual),
        "backtest": _pack_line(curve.backtest),
        "earlier": _pack_line(curve.earlier),
        "mean": _pack_line(curve.mean),
        "quantiles": [_pack_line(values) for values in curve.quantiles.values()],
    }


def _pack_line(values: Sequence[Value]) -> list[Value]:
    known = [at for at, value in enumerate(values) if value is not None]
    if not known:
        return [0]
    return [known[0], *(short_value(value) for value in values[known[0] : known[-1] + 1])]


def short_value(value: Value) -> Value:
    """Return a value with six significant digits, whole if it is: a file holds millions of them."""
    if value is None:
        return None
    short = float(f"{value:.6g}")
    return int(short) if short.is_integer() else short


def pack_curves(curves: Sequence[SeriesCurve | None]) -> str:
    """Return all curves over common periods, compressed, as text for the page's script."""
    periods = packed_periods(len(curves))
    cut = [curve.newest(periods) if curve else None for curve in curves]
    times = sorted({time for curve in cut if curve for time in curve.times})
    at = {time: position for position, time in enumerate(times)}
    packed = [_shifted(pack_curve(curve), at[curve.times[0]]) if curve and curve.times else {} for curve in cut]
    text = json.dumps({"times": times, "curves": packed}, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), compresslevel=6, mtime=0)).decode()


def _shifted(packed: dict[str, Any], by: int) -> dict[str, Any]:
    """Return the lines of a curve that begins later than the common periods do."""
    return {
        name: [[line[0] + by, *line[1:]] for line in value] if name == "quantiles" else [value[0] + by, *value[1:]]
        for name, value in packed.items()
    }
