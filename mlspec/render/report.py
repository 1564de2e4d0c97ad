"""Renders the report of one forecast as a self-contained HTML page, without network or script library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from mlspec.render.chart import Band, Line, Value, bar_chart, line_chart
from mlspec.render.environment import jinja_environment
from mlspec.spec.metrics import MAIN, metrics_of_kind

SHOWN_HISTORY = 104
SHOWN_SERIES = 24


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """One series: its name, its history, its forecast with the outermost quantiles, and the champion's backtest with the actuals.

    Every list of pairs is (time as ISO text, value); `low` and `high` are empty where the spec asks for fewer than two quantiles.
    """

    name: str
    history: Sequence[tuple[str, Value]]
    mean: Sequence[tuple[str, Value]]
    low: Sequence[Value] = ()
    high: Sequence[Value] = ()
    backtest: Sequence[tuple[str, Value]] = ()


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """All facts on the page. Tables are lists of mappings, as in the pipeline's facts; times are ISO text."""

    name: str
    description: str
    owner: str | None
    target_column: str
    version: Mapping[str, Any]
    release: int | None
    run: Mapping[str, Any]
    candidates: Sequence[Mapping[str, Any]]
    gate: Sequence[str]
    by: Sequence[Mapping[str, Any]]
    by_step: Sequence[tuple[int, Value]]
    by_cutoff: Sequence[tuple[str, Value]]
    series: Sequence[SeriesFacts]
    quality: Mapping[str, Any]
    inventory: Mapping[str, Any] | None
    events: Sequence[Mapping[str, Any]]
    interval: float | None
    ready: bool
    why: str
    made: str
    lineage: Mapping[str, Any] = field(default_factory=dict)
    auto: Sequence[str] = ()
    fates: Sequence[str] = ()


def render_report(facts: ReportFacts) -> str:
    """Return the page. Series are shown by volume, the largest first, `SHOWN_SERIES` at most."""
    ranked = sorted(facts.series, key=_series_volume, reverse=True)
    charts = [
        {"name": series.name, "svg": Markup(series_chart(series, facts.interval))}  # noqa: S704
        for series in ranked[:SHOWN_SERIES]
    ]
    steps = bar_chart(
        f"{MAIN.title} by horizon step", [str(step) for step, _ in facts.by_step], [value for _, value in facts.by_step]
    )
    cutoffs = bar_chart(
        f"{MAIN.title} by cutoff", [cutoff for cutoff, _ in facts.by_cutoff], [value for _, value in facts.by_cutoff]
    )
    return jinja_environment().get_template("report/report.html.j2").render(
        facts=facts,
        metrics=metrics_of_kind("accuracy"),
        main=MAIN,
        charts=charts,
        hidden=max(0, len(ranked) - SHOWN_SERIES),
        # Made by chart.py, which escapes every word.
        steps=Markup(steps),  # noqa: S704
        cutoffs=Markup(cutoffs),  # noqa: S704
    )  # fmt: skip


def series_chart(series: SeriesFacts, interval: float | None) -> str:
    """Return one series' chart: recent history, backtest, forecast and its interval."""
    past = list(series.history)[-SHOWN_HISTORY:]
    labels = [time for time, _ in past] + [time for time, _ in series.mean]
    gap: list[Value] = [None] * len(past)
    after: list[Value] = [None] * len(series.mean)
    judged = dict(series.backtest)
    lines = [
        Line("actual", "actual", [value for _, value in past] + after),
        Line("backtest", "backtest", [judged.get(time) for time, _ in past] + after),
        Line("forecast", "forecast", gap + [value for _, value in series.mean]),
    ]
    band = (
        Band(f"{interval:.0%} interval", gap + list(series.low), gap + list(series.high))
        if interval and series.low
        else None
    )
    return line_chart(f"{series.name}: history and forecast", labels, lines, band, len(past))


def _series_volume(series: SeriesFacts) -> float:
    return sum(abs(value) for _, value in list(series.history)[-SHOWN_HISTORY:] if value is not None)
