"""Charts as SVG text: lines with an interval, and bars. Pure functions from numbers to text; all user text is escaped.

Colours come from the page's CSS by class, so that one chart works in light, dark and print.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 12, 26

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

    name: str
    low: Sequence[Value]
    high: Sequence[Value]


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
    title: str, labels: Sequence[str], lines: Sequence[Line], band: Band | None = None, split: int | None = None
) -> str:
    """Return lines over labelled positions, with a band, and a vertical rule at `split` (where the forecast begins)."""
    values = [value for line in lines for value in line.values if value is not None]
    values += [value for side in ((band.low, band.high) if band else ()) for value in side if value is not None]
    if not values:
        return _svg_frame(title, ['<text class="tick" x="360" y="110" text-anchor="middle">no data</text>'])
    scale = _Scale(nice_ticks(min(0.0, *values) if min(values) >= 0 else min(values), max(values)), len(labels))
    parts = [*scale.grid_lines(), *scale.time_labels(labels)]
    if split is not None:
        x = scale.x(split - 0.5)
        parts.append(f'<line class="split" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
    if band is not None:
        parts.append(_band_area(band, scale))
    parts += [path for line in lines for path in _line_paths(line, scale)]
    parts += _hover_columns(labels, lines, band, scale)
    return _svg_frame(title, parts)


def bar_chart(title: str, labels: Sequence[str], values: Sequence[Value], *, share: bool = True) -> str:
    """Return one bar for each label. Shares are written as percentages."""
    known = [value for value in values if value is not None]
    if not known:
        return _svg_frame(title, ['<text class="tick" x="360" y="110" text-anchor="middle">no data</text>'])
    scale = _Scale(nice_ticks(min(0.0, *known), max(known)), len(labels), share=share)
    width = max(2.0, (WIDTH - LEFT - RIGHT) / max(len(labels), 1) * 0.6)
    parts = [*scale.grid_lines(), *scale.time_labels(labels)]
    for index, (label, value) in enumerate(zip(labels, values, strict=True)):
        if value is None:
            continue
        top, bottom = sorted((scale.y(value), scale.y(0.0)))
        parts.append(
            f'<rect class="bar" x="{scale.x(index) - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="{bottom - top:.1f}">'
            f"<title>{escape(label)}: {scale.format_value(value)}</title></rect>"
        )
    return _svg_frame(title, parts)


class _Scale:
    """Converts positions and values to the chart's units."""

    def __init__(self, marks: Sequence[float], count: int, *, share: bool = False) -> None:
        self.marks, self.count, self.share = marks, count, share
        self.low, self.high = marks[0], marks[-1]

    def x(self, position: float) -> float:
        return round(LEFT + (position + 0.5) * (WIDTH - LEFT - RIGHT) / max(self.count, 1), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM), 1)

    def format_value(self, value: float) -> str:
        if self.share:
            return f"{value:.1%}"
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"

    def grid_lines(self) -> Iterable[str]:
        for mark in self.marks:
            y = self.y(mark)
            yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
            yield f'<text class="tick" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{self.format_value(mark)}</text>'

    def time_labels(self, labels: Sequence[str]) -> Iterable[str]:
        step = max(1, math.ceil(len(labels) / 7))
        for index in range(0, len(labels), step):
            text = escape(labels[index])
            yield f'<text class="tick" x="{self.x(index)}" y="{HEIGHT - 8}" text-anchor="middle">{text}</text>'


def _line_paths(line: Line, scale: _Scale) -> Iterable[str]:
    """Yield one polyline for each run of values without a gap."""
    run: list[str] = []
    for index, value in enumerate([*line.values, None]):
        if value is not None:
            run.append(f"{scale.x(index)},{scale.y(value)}")
        elif run:
            yield f'<polyline class="{escape(line.style)}" points="{" ".join(run)}"/>'
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


def _hover_columns(labels: Sequence[str], lines: Sequence[Line], band: Band | None, scale: _Scale) -> Iterable[str]:
    """Yield an invisible column for each position, whose title lists the values there, for browsers and screen readers."""
    width = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    for index, label in enumerate(labels):
        texts = [
            f"{line.name} {scale.format_value(value)}" for line in lines if (value := line.values[index]) is not None
        ]
        low, high = (band.low[index], band.high[index]) if band else (None, None)
        if band and low is not None and high is not None:
            texts.append(f"{band.name} {scale.format_value(low)} to {scale.format_value(high)}")
        if texts:
            x = scale.x(index) - width / 2
            yield (
                f'<rect class="hit" x="{x:.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}">'
                f"<title>{escape(label)}: {escape(', '.join(texts))}</title></rect>"
            )


def _svg_frame(title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" preserveAspectRatio="xMidYMid meet">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )
