"""A chart as an SVG file of its own, for notebooks and documents: the static picture of a page, with its colours and a legend."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from mlspec.render.chart import HEIGHT, LEFT, WIDTH, Line
from mlspec.render.chart_part import draw_curve, list_lines
from mlspec.render.page_facts import SeriesCurve
from mlspec.render.reader import Reader

_HEAD, _LEGEND = 28, 26  # pixels above and below the chart
_STEP = 160  # pixels of a line's name in the legend
# The light colours of templates/pages/pages.css. A notebook may show the picture inside its page: the class keeps the rules to it.
_STYLE = """\
.mlspec-chart text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1b1f24; }
.mlspec-chart .tick { fill: #57606a; font-size: 12px; }
.mlspec-chart .grid { stroke: #d8dee4; stroke-width: 1; }
.mlspec-chart .split { stroke: #57606a; stroke-dasharray: 2 4; }
.mlspec-chart polyline { fill: none; stroke-width: 2; }
.mlspec-chart .actual { stroke: #1b1f24; }
.mlspec-chart .backtest { stroke: #b35900; stroke-width: 1.4; stroke-dasharray: 6 3; }
.mlspec-chart .earlier { stroke: #57606a; stroke-width: 1.4; stroke-dasharray: 2 3; }
.mlspec-chart .forecast { stroke: #0b66c3; stroke-width: 2.4; }
.mlspec-chart .band { fill: #0b66c3; opacity: .18; }
"""


def chart_file(curve: SeriesCurve, title: str, unit: str, reader: Reader) -> str:
    """Return the newest periods of a curve and its forecast as an SVG document. All text is escaped."""
    height = _HEAD + HEIGHT + _LEGEND
    chart = draw_curve(curve, title, unit, reader)
    parts = [
        f"<style>{_STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="4" y="18" font-size="15" font-weight="600">{escape(title)}</text>',
        chart.replace("<svg ", f'<svg y="{_HEAD}" width="{WIDTH}" height="{HEIGHT}" ', 1),
        *_legend([line for line in list_lines(curve, unit, reader) if any(value is not None for value in line.values)]),
    ]
    box = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="mlspec-chart" {box}>{"".join(parts)}</svg>\n'


def _legend(lines: Sequence[Line]) -> list[str]:
    y = _HEAD + HEIGHT + 14
    return [
        f'<polyline class="{escape(line.style)}" points="{x},{y} {x + 24},{y}"/>'
        f'<text class="tick" x="{x + 30}" y="{y + 4}">{escape(line.name)}</text>'
        for x, line in ((LEFT + _STEP * place, line) for place, line in enumerate(lines))
    ]
