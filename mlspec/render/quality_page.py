"""Renders what the checks of a forecast's data found over time: charts, and a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mlspec.render.chart import ChartWords, Line, Value, line_chart
from mlspec.render.page_frame import Link, PageFrame, render_page
from mlspec.render.reader import Reader

SHOWN_CHECKS = 100  # rows of the table


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One check of the data: when (RFC 3339), whether the contract holds, and what it counted; None where it did not count that.

    `broken` has a sentence for each broken check of the contract.
    """

    at: str
    ok: bool
    cutoff: str | None
    rows: int | None
    refused: int | None
    series: int | None
    filled: int | None
    zeros: int | None
    missing: int | None
    ended: int | None
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QualityChart:
    """A chart of counts over the checks: its title, the picture, and its lines with their styles."""

    title: str
    svg: Markup
    lines: Sequence[tuple[str, str]]


# Title of a chart, its unit, and its lines: name, style and value.
_Count = Callable[[QualityRow], Value]
_CHARTS: tuple[tuple[str, str, tuple[tuple[str, str, _Count], ...]], ...] = (
    ("Rows", "rows", (("rows", "actual", lambda row: row.rows),)),
    (
        "What was amiss",
        "count",
        (
            ("refused rows", "forecast", lambda row: row.refused),
            ("missing periods", "backtest", lambda row: row.missing),
            ("filled periods", "actual", lambda row: row.filled),
            ("ended series", "earlier", lambda row: row.ended),
        ),
    ),
)
# What the page says beside the sentences of its template, for translations.
SENTENCES = tuple({text for title, unit, lines in _CHARTS for text in (title, unit, *(name for name, _, _ in lines))})


def render_quality(
    forecast: str,
    rows: Sequence[QualityRow],
    downloads: Sequence[Link],
    frame: PageFrame,
    reader: Reader,
    *,
    suffix: str = "",
) -> str:
    """Return the page. `rows` are the newest first."""
    return render_page(
        "quality", frame, reader, forecast=forecast, rows=rows[:SHOWN_CHECKS], hidden=max(len(rows) - SHOWN_CHECKS, 0),
        broken=sum(not row.ok for row in rows), count=len(rows), charts=[*map(_chart_maker(rows, reader), _CHARTS)],
        downloads=downloads, suffix=suffix, count_text=lambda value: "–" if value is None else reader.whole(value),
    )  # fmt: skip


def _chart_maker(
    rows: Sequence[QualityRow], reader: Reader
) -> Callable[[tuple[str, str, tuple[tuple[str, str, _Count], ...]]], QualityChart]:
    ordered = rows[::-1]
    labels = [reader.moment(row.at)[: -len(" 00:00")] for row in ordered]

    def make(chart: tuple[str, str, tuple[tuple[str, str, _Count], ...]]) -> QualityChart:
        title, unit, parts = chart
        lines = [Line(reader.say(name), style, [value(row) for row in ordered]) for name, style, value in parts]
        words = ChartWords(reader.say(title), reader.say(unit), reader.say("no data"), reader.number)
        svg = Markup(line_chart(words, labels, lines))  # noqa: S704  (chart.py escapes every word)
        return QualityChart(reader.say(title), svg, [(line.name, line.style) for line in lines])

    return make
