"""Renders the page of one forecast: as a file that holds all of its series, or as a page of the server with one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from mlspec.render.chart import Band, ChartWords, Line, line_chart
from mlspec.render.curve_data import DRAWN_HISTORY, pack_curve, pack_curves, short_value
from mlspec.render.page_facts import ForecastPageFacts, SeriesCurve
from mlspec.render.page_frame import Link, PageFrame, file_frame, json_block, render_page
from mlspec.render.reader import Reader
from mlspec.render.series_listing import (
    ORDERS,
    SeriesLine,
    list_series,
    most_changed_first,
    series_lines,
    worst_first,
)
from mlspec.render.timeline import timeline_entries
from mlspec.spec.metrics import MAIN, metrics_of_kind
from mlspec.state.overview import ErrorPair, OverviewRow

SHOWN_SEGMENTS = 50  # rows of a table of segments
_SHOWN_MOVERS = 10
_SHOWN_PAIRS = 26  # rows of a table of errors
_SVG_HISTORY = 104  # periods of the static chart before the forecast
_PENDING = "The errors of each series are being measured. This page shows them as soon as they are there."
_BY_HORIZON = ("By periods ahead", "periods ahead")
_BY_PERIOD = ("Realised by period, the newest first", "period")
_BY_CUTOFF = ("Backtest by cutoff, the newest first", "cutoff")
# What the page says beside the sentences of its template, for translations.
SENTENCES = (_PENDING, *_BY_HORIZON, *_BY_PERIOD, *_BY_CUTOFF, "Back", "Next")


@dataclass(frozen=True, slots=True)
class SeriesChoice:
    """What a reader of the server's page chose: a series by its id (empty: the total), and how the series are listed."""

    series: str = ""
    query: str = ""
    order: str = "worst"
    page: int = 1
    language: str = ""
    utc: bool = False

    def address(self, **changes: object) -> str:
        """Return the address of the page with this choice but for some changes, without what is usual."""
        words = {"series": self.series, "q": self.query, "sort": self.order, "page": self.page}
        words |= {"language": self.language, "utc": "1" if self.utc else "", **changes}
        usual = ("", None, 1) if words.get("sort") != "worst" else ("", None, 1, "worst")
        return f"?{urlencode({name: value for name, value in words.items() if value not in usual})}"


@dataclass(frozen=True, slots=True)
class SegmentTable:
    """The rows of a segment's column, the worst first, and how many more there are."""

    column: str
    rows: Sequence[OverviewRow]
    hidden: int


@dataclass(frozen=True, slots=True)
class PairTable:
    """Errors, the largest of them, and how many more there are."""

    rows: Sequence[ErrorPair]
    most: float
    hidden: int


@dataclass(frozen=True, slots=True)
class ListedSeries:
    """A series in a table, with the address at which the server shows it."""

    name: str
    row: OverviewRow
    address: str = ""
    chosen: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of series as it stands on a page."""

    lines: Sequence[ListedSeries]
    count: str
    query: str
    sort: str
    orders: Sequence[tuple[str, str]]
    pager: Sequence[Link] = ()


@dataclass(frozen=True, slots=True)
class ChartPart:
    """The chart of a page: its title, the static picture, and the numbers before and after the forecast begins."""

    title: str
    total: bool
    svg: Markup
    quantiles: Sequence[str]
    ahead: Sequence[Mapping[str, Any]]
    behind: Sequence[Mapping[str, Any]] = field(default_factory=list)


def render_report(
    facts: ForecastPageFacts, total: SeriesCurve, curves: Mapping[str, SeriesCurve], reader: Reader
) -> str:
    """Return a file with all series of a forecast, which needs nothing but a browser."""
    overview = facts.overview
    lines = series_lines(overview, facts.target_column) if overview else []
    title, shown = (reader.say("All series"), total) if len(curves) != 1 else _only_series(curves, lines)
    extra: dict[str, Any] = {}
    if overview is not None:
        packed, columns = pack_curves([curves.get(line.id) for line in lines]), overview.columns
        extra = {
            "rows": [_compact_row(line) for line in lines],
            "keys": [[str(part) for part in line.row.key] for line in lines],
            "columns": list(columns),
            "packed": packed,
        }
    listing = _listing(facts, reader, SeriesChoice(), live=False)
    return _render(facts, shown, title, reader, file_frame(reader), listing, extra, downloads=())


def render_forecast_page(
    facts: ForecastPageFacts,
    curve: SeriesCurve,
    frame: PageFrame,
    reader: Reader,
    choice: SeriesChoice,
    downloads: Sequence[Link],
    *,
    problem: str = "",
) -> str:
    """Return the page of the server, with the curve of the chosen series. `problem` says why there is no overview."""
    title = reader.say("All series")
    if choice.series and facts.overview:
        named = {line.id: line.name for line in series_lines(facts.overview, facts.target_column)}
        title = named.get(choice.series, choice.series)
    elif choice.series:
        title = choice.series
    listing = _listing(facts, reader, choice, live=True)
    return _render(facts, curve, title, reader, frame, listing, {}, downloads, choice, problem)


def _only_series(curves: Mapping[str, SeriesCurve], lines: Sequence[SeriesLine]) -> tuple[str, SeriesCurve]:
    ((unique_id, curve),) = curves.items()
    return next((line.name for line in lines if line.id == unique_id), unique_id), curve


def _render(
    facts: ForecastPageFacts,
    curve: SeriesCurve,
    title: str,
    reader: Reader,
    frame: PageFrame,
    listing: Listing | None,
    extra: dict[str, Any],
    downloads: Sequence[Link],
    choice: SeriesChoice | None = None,
    problem: str = "",
) -> str:
    interval = reader.percent(facts.interval).replace(".0", "").replace(",0", "") if facts.interval else "–"
    curve = curve.newest(DRAWN_HISTORY)
    movers, hidden_movers = _movers(facts, choice)
    timeline, hidden_events = timeline_entries(facts.events)
    return render_page(
        "forecast", frame, reader,
        facts=facts,
        main=MAIN,
        metrics=metrics_of_kind("accuracy"),
        interval=interval,
        quantile=lambda name: quantile_title(reader, name),
        chart=_chart_part(facts, curve, title, reader, total=title == reader.say("All series")),
        listing=listing,
        pending=problem or reader.say(_PENDING),
        movers=movers,
        hidden_movers=hidden_movers,
        error_tables=_error_tables(facts),
        segments=_segment_tables(facts),
        timeline=timeline,
        hidden_events=hidden_events,
        downloads=downloads,
        data=json_block(_page_data(facts, curve, title, reader) | extra),
    )  # fmt: skip


def quantile_title(reader: Reader, name: str) -> str:
    """Return the title of a quantile's column: `q0.1` is 10 %."""
    return reader.say("{share} quantile", share=reader.percent(float(name[1:])).replace(".0%", "%").replace(",0%", "%"))


# --- the chart --------------------------------------------------------------------------------------------------------


def _chart_part(facts: ForecastPageFacts, curve: SeriesCurve, title: str, reader: Reader, *, total: bool) -> ChartPart:
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
    svg = Markup(_static_chart(facts, curve.newest(_SVG_HISTORY), title, reader))  # noqa: S704  (chart.py escapes every word)
    return ChartPart(title, total, svg, names, ahead, behind)


def _static_chart(facts: ForecastPageFacts, curve: SeriesCurve, title: str, reader: Reader) -> str:
    lines = [
        Line(facts.target_column, "actual", curve.actual),
        Line(reader.say("backtest"), "backtest", curve.backtest),
        Line(reader.say("forecast before"), "earlier", curve.earlier),
        Line(reader.say("forecast"), "forecast", curve.mean),
    ]
    levels = list(curve.quantiles.values())
    bands = [Band(levels[at], levels[-1 - at]) for at in range(len(levels) // 2)]
    words = ChartWords(title, facts.target_column, reader.say("no data"), reader.number)
    return line_chart(words, [reader.period(time) for time in curve.times], lines, bands, curve.forecast_start)


def _page_data(facts: ForecastPageFacts, curve: SeriesCurve, title: str, reader: Reader) -> dict[str, Any]:
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


def _compact_row(line: SeriesLine) -> list[Any]:
    row = line.row
    values = (
        row.forecast,
        row.recent,
        row.change,
        row.change_share,
        row.realised,
        row.backtest,
        row.bias,
    )
    return [line.name, *(short_value(value) for value in values)]


# --- the tables -------------------------------------------------------------------------------------------------------


def _listing(facts: ForecastPageFacts, reader: Reader, choice: SeriesChoice, *, live: bool) -> Listing | None:
    if facts.overview is None:
        return None
    found = list_series(facts.overview, facts.target_column, query=choice.query, order=choice.order, page=choice.page)
    lines = [
        ListedSeries(
            line.name,
            line.row,
            f"{choice.address(series=line.id)}#chart-part" if live else "",
            line.id == choice.series,
        )
        for line in found.lines
    ]
    pager = [
        Link(f"{choice.address(page=to)}#series-part", reader.say(text))
        for text, to in (("Back", found.page - 1), ("Next", found.page + 1))
        if 1 <= to <= found.pages
    ]
    if live and choice.series:
        pager.append(Link(f"{choice.address(series='')}#chart-part", reader.say("All series")))
    count = reader.say(
        "{matched} of {total} series, page {page} of {pages}",
        matched=reader.whole(found.matched), total=reader.whole(found.total), page=reader.whole(found.page),
        pages=reader.whole(found.pages),
    )  # fmt: skip
    order = choice.order if choice.order in ORDERS else "worst"
    return Listing(lines, count, choice.query, order, list(ORDERS.items()), pager if live else ())


def _movers(facts: ForecastPageFacts, choice: SeriesChoice | None) -> tuple[list[ListedSeries], int]:
    """Return what moved most: series, and how many more have changed."""
    if facts.overview is None:
        return [], 0
    changed = [line for line in series_lines(facts.overview, facts.target_column) if line.row.change]
    changed.sort(key=lambda line: most_changed_first(line.row))
    shown = [
        ListedSeries(line.name, line.row, f"{choice.address(series=line.id)}#chart-part" if choice else "")
        for line in changed[:_SHOWN_MOVERS]
    ]
    return shown, len(changed) - len(shown)


def _error_tables(facts: ForecastPageFacts) -> list[tuple[str, str, PairTable]]:
    if facts.overview is None:
        return []
    over = facts.overview
    tables = (
        (_BY_HORIZON, over.by_horizon),
        (_BY_PERIOD, over.by_period[::-1]),
        (_BY_CUTOFF, over.by_cutoff[::-1]),
    )
    return [(*titles, _pair_table(pairs)) for titles, pairs in tables if pairs]


def _pair_table(pairs: Sequence[ErrorPair]) -> PairTable:
    shown = pairs[:_SHOWN_PAIRS]
    known = [value for pair in shown for value in (pair.realised, pair.backtest) if value is not None]
    return PairTable(shown, max(known, default=0.0), len(pairs) - len(shown))


def _segment_tables(facts: ForecastPageFacts) -> list[SegmentTable]:
    if facts.overview is None:
        return []
    return [
        SegmentTable(column, sorted(rows, key=worst_first)[:SHOWN_SEGMENTS], max(len(rows) - SHOWN_SEGMENTS, 0))
        for column, rows in facts.overview.segments.items()
    ]
