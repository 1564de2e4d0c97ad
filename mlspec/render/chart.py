"""A chart as SVG text: lines with an interval, for print, for readers without scripts. Pure functions from numbers to text.

All user text is escaped. Colours come from the page's CSS by class, so that one chart works in light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 290
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 28, 28
_LABELS = 6  # dates below the chart, at most

Value = float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name, its class in the page's CSS, and a value (or a gap, None) for each position of the chart."""

    name: str
    style: str
    values: Sequence[Value]


@dataclass(frozen=True, slots=True)
class Band:
    """An area between two lines, at the positions where both have values."""

    low: Sequence[Value]
    high: Sequence[Value]


@dataclass(frozen=True, slots=True)
class ChartWords:
    """What a chart says beside its lines: its title, the unit of its values, and how a value is written."""

    title: str
    unit: str
    nothing: str
    number: Callable[[float], str]


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return round numbers that span [low, high]: steps of 1, 2 or 5 times a power of ten (Heckbert 1990, "nice numbers")."""
    span = high - low
    if span <= max(1e-9 * max(abs(low), abs(high)), 1e-200):
        span = max(abs(high), 1e-200)  # all values are equal: any round steps around them are fine
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1, 2, 5) if raw <= factor * power), 10 * power)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [index * step for index in range(first, max(last, first + 1) + 1)]


def line_chart(
    words: ChartWords,
    labels: Sequence[str],
    lines: Sequence[Line],
    bands: Sequence[Band] = (),
    split: int | None = None,
) -> str:
    """Return lines over labelled positions, with bands, and a vertical rule at `split` (where the forecast begins)."""
    sides = [line.values for line in lines] + [side for band in bands for side in (band.low, band.high)]
    values = [value for side in sides for value in side if value is not None]
    if not values:
        middle = f'x="{WIDTH // 2}" y="{HEIGHT // 2}" text-anchor="middle"'
        return _svg_frame(words.title, [f'<text class="tick" {middle}>{escape(words.nothing)}</text>'])
    scale = _Scale(nice_ticks(min(0.0, *values) if min(values) >= 0 else min(values), max(values)), len(labels))
    parts = [*scale.grid_lines(words.number), *scale.time_labels(labels)]
    parts.append(f'<text class="tick" x="4" y="14">{escape(words.unit)}</text>')
    if split is not None:
        x = scale.x(split - 0.5)
        parts.append(f'<line class="split" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    parts += [_band_area(band, scale) for band in bands]
    parts += [path for line in lines for path in _line_paths(line, scale)]
    return _svg_frame(words.title, parts)


class _Scale:
    """Converts positions and values to the chart's units."""

    def __init__(self, marks: Sequence[float], count: int) -> None:
        self.marks, self.count = marks, count
        self.low, self.high = marks[0], marks[-1]

    def x(self, position: float) -> float:
        return round(LEFT + (position + 0.5) * (WIDTH - LEFT - RIGHT) / max(self.count, 1), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)

    def grid_lines(self, number: Callable[[float], str]) -> Iterable[str]:
        for mark in self.marks:
            y = self.y(mark)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(number(mark))}</text>'

    def time_labels(self, labels: Sequence[str]) -> Iterable[str]:
        step = max(1, math.ceil(len(labels) / _LABELS))
        for index in range(0, len(labels), step):
            anchor = "end" if self.x(index) > WIDTH - 50 else "middle"
            text = escape(labels[index])
            yield f'<text class="tick" x="{self.x(index)}" y="{HEIGHT - 8}" text-anchor="{anchor}">{text}</text>'


def _line_paths(line: Line, scale: _Scale) -> Iterable[str]:
    """Yield one polyline for each run of values without a gap."""
    run: list[str] = []
    for index, value in enumerate([*line.values, None]):
        if value is not None:
            run.append(f"{scale.x(index)},{scale.y(value)}")
        elif run:
            yield f'<polyline class="{escape(line.style)}" points="{" ".join(run)}"><title>{escape(line.name)}</title></polyline>'
            run = []


def _band_area(band: Band, scale: _Scale) -> str:
    known = [
        (i, low, high)
        for i, (low, high) in enumerate(zip(band.low, band.high, strict=True))
        if low is not None and high is not None
    ]
    upper = [f"{scale.x(i)},{scale.y(high)}" for i, _, high in known]
    lower = [f"{scale.x(i)},{scale.y(low)}" for i, low, _ in reversed(known)]
    return f'<polygon class="band" points="{" ".join(upper + lower)}"/>'


def _svg_frame(title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" preserveAspectRatio="xMidYMid meet">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
