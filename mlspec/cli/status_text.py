"""The text of `mlspec status`: counts first, then a table that fits the width, then why forecasts are not ready."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from mlspec.cli.escape import printable
from mlspec.cli.table import Styled, format_percent, format_table, table_width
from mlspec.clock import utc_now
from mlspec.engine.status import ForecastStatus
from mlspec.plan.delivery import undelivered_sentence
from mlspec.plan.moments import parse_moment
from mlspec.spec.metrics import MAIN
from mlspec.state.ledger import AlertRecord, Ledger
from mlspec.state.record import ForecastRun

WIDTH = 80  # columns of a text that is not written to a terminal
NOTHING = "No forecasts yet: `mlspec init` starts a project, `mlspec apply` makes its forecasts."
_GREEN, _RED, _YELLOW = "green", "red", "yellow"


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of the table. `rank`: from the column of the highest rank on, columns are left out if the table is too wide."""

    title: str
    rank: int
    cell: Callable[[ForecastStatus, datetime], object]


def _state_cell(forecast: ForecastStatus, _now: datetime) -> Styled:
    return Styled("ready", _GREEN) if forecast.ready else Styled("not ready", _RED)


def _serving_cell(forecast: ForecastStatus, _now: datetime) -> str:
    """Return the version with most of the traffic; its share if that is not all."""
    if not forecast.serving:
        return "nothing"
    first = max(forecast.serving, key=lambda row: int(row["traffic"]))
    return str(first["version"]) if len(forecast.serving) == 1 else f"{first['version']} {first['traffic']} %"


def _all_serving(forecast: ForecastStatus, _now: datetime) -> str:
    return ", ".join(f"{row['version']} {row['traffic']} %" for row in forecast.serving) or "nothing"


def _next_cell(forecast: ForecastStatus, now: datetime) -> str:
    return f"in {span_text((parse_moment(forecast.next_run) - now).total_seconds())}" if forecast.next_run else "-"


_NARROW = (
    _Column("forecast", 0, lambda forecast, _now: forecast.name),
    _Column("state", 1, _state_cell),
    _Column("serving", 2, _serving_cell),
    _Column("realised", 3, lambda forecast, _now: format_percent(forecast.ledger.metrics.get(MAIN.name))),
    _Column("backtest", 5, lambda forecast, _now: format_percent(forecast.metrics.get(MAIN.name))),
    _Column("data up to", 4, lambda forecast, _now: forecast.last_run.cutoff if forecast.last_run else "-"),
    _Column("next run", 6, _next_cell),
)
_WIDE = (
    *_NARROW[:2],
    _Column("serving", 0, _all_serving),
    _Column("model", 0, lambda forecast, _now: forecast.candidate or "-"),
    _Column(f"realised {MAIN.title}", 0, _NARROW[3].cell),
    _Column(f"backtest {MAIN.title}", 0, _NARROW[4].cell),
    _NARROW[5],
    _Column("last run", 0, lambda forecast, _now: forecast.last_run.created if forecast.last_run else "-"),
    _Column("next run", 0, lambda forecast, _now: forecast.next_run or "-"),
)


def as_text(
    statuses: Sequence[ForecastStatus],
    *,
    wide: bool = False,
    width: int = WIDTH,
    wrap: bool = False,
    now: datetime | None = None,
) -> str:
    """Return counts, a table of forecasts, and below it why forecasts are not ready.

    The table is at most `width` columns wide, unless `wide`: then it has all columns. `wrap`: sentences are broken there too.
    """
    if not statuses:
        return NOTHING
    moment = now or utc_now()
    columns = list(_WIDE if wide else _NARROW)
    left_out: list[_Column] = []
    while not wide and len(columns) > 1 and table_width(*_cells(columns, statuses, moment)) > width:
        left_out.append(max(columns, key=lambda column: column.rank))
        columns.remove(left_out[-1])
    breaks = width if wrap else 0
    lines = [*_wrapped(counts_text(statuses), breaks), format_table(*_cells(columns, statuses, moment))]
    if left_out:
        titles = ", ".join(column.title for column in reversed(left_out))
        lines += _wrapped(f"(--wide also shows: {titles})", breaks)
    for forecast in statuses:
        lines += (
            line
            for sentence in status_sentences(forecast)
            for line in _wrapped(f"{forecast.name}: {printable(sentence)}", breaks)
        )
    return "\n".join(lines)


def _cells(
    columns: Sequence[_Column], statuses: Sequence[ForecastStatus], now: datetime
) -> tuple[list[str], list[list[object]]]:
    return [column.title for column in columns], [[column.cell(each, now) for column in columns] for each in statuses]


def _wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of a width; later lines are indented. A width of 0 breaks nothing but what is broken already."""
    if not width:
        return [text]
    return [
        part
        for line in text.split("\n")
        for part in textwrap.wrap(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
        or [""]
    ]


def counts_text(statuses: Sequence[ForecastStatus]) -> str:
    """Return how many forecasts there are, how many are ready, and how many need somebody's attention, and why."""
    ready = sum(forecast.ready for forecast in statuses)
    facts: tuple[tuple[int, str], ...] = (
        (sum(any(alert.state == "firing" for alert in each.ledger.alerts) for each in statuses), "with firing alerts"),
        (sum(each.ledger.rollout is not None for each in statuses), "in rollout"),
        (sum(each.ledger.hold is not None for each in statuses), "held"),
        (sum(bool(each.undelivered) for each in statuses), "with undelivered notices"),
    )
    noun = "forecast" if len(statuses) == 1 else "forecasts"
    parts = [f"{ready:,} ready"] if ready else []
    parts += [f"{len(statuses) - ready:,} not ready"] if ready < len(statuses) else []
    parts += [f"{count:,} {words}" for count, words in facts if count]
    return f"{len(statuses):,} {noun}: {', '.join(parts)}"


def span_text(seconds: float) -> str:
    """Return a time to come in its largest unit: `3 d`, `5 h`, `20 min`."""
    minutes = max(round(seconds / 60), 0)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // (24 * 60)} d"


def status_sentences(forecast: ForecastStatus) -> list[str]:
    """Return the sentences below the table: why it is not ready, what is rejected, in rollout, held, muted or not delivered."""
    ledger = forecast.ledger
    firing = "; ".join(alert.message for alert in ledger.alerts if alert.state == "firing")
    why = "" if forecast.why == firing else forecast.why  # an alert has a line of its own
    sentences = [
        why or forecast.kept_out,
        failure_sentence(forecast),
        *forecast.problems,
        *forecast.series,
        realised_sentence(ledger),
        *rollout_sentences(ledger),
        *(alert_sentence(alert) for alert in notable_alerts(ledger)),
        *(f"alert {mute.alert} is silent until {mute.until}, by {mute.by}: {mute.reason}" for mute in ledger.silences),
        *(undelivered_sentence(pending) for pending in forecast.undelivered),
        _backfill_sentence(forecast.backfills),
    ]
    return [line for line in sentences if line]


def rollout_sentences(ledger: Ledger) -> Iterable[str]:
    """Yield a sentence on a rollout, on a hold, and on each version in quarantine."""
    if ledger.rollout:
        yield f"{ledger.rollout.version} is in rollout, step {ledger.rollout.step + 1}, since {ledger.rollout.since}"
    if ledger.hold:
        yield f"release {ledger.hold.release} is held by {ledger.hold.by} since {ledger.hold.at}: {ledger.hold.reason}"
    yield from (f"{bad.version} is in quarantine since {bad.at}: {bad.reason}" for bad in ledger.quarantined)


def alert_sentence(alert: AlertRecord) -> str:
    """Return a sentence on the present state of an alert."""
    return f"alert {alert.name} is {alert.state} since {alert.since}: {alert.message_without_name}"


def _backfill_sentence(backfills: Sequence[ForecastRun]) -> str:
    """Return what was filled in for past moments, and when the last of it was; empty if nothing was."""
    moments = sorted(str(run.backfill_of) for run in backfills)
    if not moments:
        return ""
    span = moments[0] if len(moments) == 1 else f"{len(moments)} past moments, {moments[0]} to {moments[-1]}"
    return f"filled in for {span}: the last at {backfills[0].created}, from data up to {backfills[0].cutoff}"


def failure_sentence(forecast: ForecastStatus) -> str:
    """Return why the loop cannot work on a forecast, if no condition says so already."""
    failure = forecast.ledger.failure
    if failure is None or any(failure.reason in condition.message for condition in forecast.conditions):
        return ""
    then = f"; it is tried again at {failure.next_at}" if failure.next_at else ""
    return f"the last pass failed at {failure.at}: {failure.reason}{then}"


def realised_sentence(ledger: Ledger) -> str:
    """Return the realised quality, overall and by periods ahead; empty if no period has actuals yet."""
    if ledger.metrics.get(MAIN.name) is None:
        return ""
    steps = [f"{format_percent(horizon['metrics'][MAIN.name])} at {horizon['step']}" for horizon in ledger.by_horizon]
    by_horizon = f"; by periods ahead: {', '.join(steps)}" if len(steps) > 1 else ""
    return f"realised {MAIN.title} {format_percent(ledger.metrics[MAIN.name])}{by_horizon}"


def notable_alerts(ledger: Ledger) -> list[AlertRecord]:
    """Return the alerts to show: all except those that are ok, and those that never had data."""
    return [alert for alert in ledger.alerts if alert.state not in ("ok", "no-data") or alert.incident]
