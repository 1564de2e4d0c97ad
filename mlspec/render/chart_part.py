"""The chart of a forecast's page: a static picture, tables of its numbers, and what the page's script draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from mlspec.render.chart import Band, ChartWords, Line, line_chart
from mlspec.render.curve_data import pack_curve
from mlspec.render.page_facts import ForecastPageFacts, SeriesCurve
from mlspec.render.reader import Reader

_SVG_HISTORY = 104  # periods of the static chart before the forecast


@dataclass(frozen=True, slots=True)
class ChartPart:
    """The chart of a page: its title, the static picture, and the numbers before and after the forecast begins."""

    title: str
    total: bool
    svg: Markup
    quantiles: Sequence[str]
    ahead: Sequence[Mapping[str, Any]]
    behind: Sequence[Mapping[str, Any]] = field(default_factory=list)


def chart_part(facts: ForecastPageFacts, curve: SeriesCurve, title: str, reader: Reader, *, total: bool) -> ChartPart:
    """Return the chart of a curve. `total` says that it is the sum over all series."""
    start = curve.forecast_start
    first = len(curve.times) if start is None else start
    names = [name for name, values in curve.quantiles.items() if any(value is not None for value in values)]
    ahead = [
        {
            "time": curve.times[at],
            "mean": curve.mean[at],
            "quantiles": [curve.quantiles[name][at] for name in names],
            "earlier": curve.earlier[at],
        }
        for at in range(first, len(curve.times))
    ]
    behind = [
        {
            "time": curve.times[at],
            "actual": curve.actual[at],
            "backtest": curve.backtest[at],
            "earlier": curve.earlier[at],
        }
        for at in reversed(range(first))
    ]
    svg = Markup(draw_curve(curve, title, facts.target_column, reader))  # noqa: S704  (chart.py escapes every word)
    return ChartPart(title, total, svg, names, ahead, behind)


def draw_curve(curve: SeriesCurve, title: str, unit: str, reader: Reader) -> str:
    """Return the newest periods of a curve, and its forecast, as SVG text."""
    curve = curve.newest(_SVG_HISTORY)
    levels = list(curve.quantiles.values())
    bands = [Band(levels[at], levels[-1 - at]) for at in range(len(levels) // 2)]
    words = ChartWords(title, unit, reader.say("no data"), reader.number)
    labels = [reader.period(time) for time in curve.times]
    return line_chart(words, labels, list_lines(curve, unit, reader), bands, curve.forecast_start)


def list_lines(curve: SeriesCurve, unit: str, reader: Reader) -> list[Line]:
    """Return the lines of a curve's chart."""
    return [
        Line(unit, "actual", curve.actual),
        Line(reader.say("backtest"), "backtest", curve.backtest),
        Line(reader.say("forecast before"), "earlier", curve.earlier),
        Line(reader.say("forecast"), "forecast", curve.mean),
    ]


def page_data(facts: ForecastPageFacts, curve: SeriesCurve, title: str, reader: Reader) -> dict[str, Any]:
    """Return what the page's script works with."""
    say = reader.say
    quantiles = list(curve.quantiles)
    return {
        "language": reader.language.tag,
        "name": facts.name,
        "title": title,
        "unit": facts.target_column,
        "quantiles": quantiles,
        "curve": {"times": list(curve.times), **pack_curve(curve)},
        "words": {
            "period": say("period"), "time": "time", "backtest": say("backtest"), "earlier": say("forecast before"),
            "forecast": say("forecast"), "all": say("All"), "half": say("Newer half"), "newest": say("Newest"),
            "back": say("Back"), "next": say("Next"),
            "chart": say("{title}: history and forecast. The table below has the numbers."),
            "count": say("{matched} of {total} series, page {page} of {pages}"),
            "quantiles": {name: quantile_title(reader, name) for name in quantiles},
        },
    }  # fmt: skip


def quantile_title(reader: Reader, name: str) -> str:
    """Return the title of a quantile's column: `q0.1` is 10 %."""
    return reader.say("{share} quantile", share=reader.percent(float(name[1:])).replace(".0%", "%").replace(",0%", "%"))
