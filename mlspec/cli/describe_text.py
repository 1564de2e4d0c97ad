"""The text of `mlspec get`: one forecast in parts, as kubectl describes a resource."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click

from mlspec.cli.escape import printable
from mlspec.cli.status_text import failure_sentence, notable_alerts, realised_sentence, rollout_sentences
from mlspec.cli.table import Styled, format_percent, format_table
from mlspec.engine.status import ForecastStatus
from mlspec.plan.delivery import undelivered_sentence
from mlspec.spec.metrics import MAIN, Metric, accuracy_metrics
from mlspec.state.record import Condition, Event, Release, Version

_BAR = 30  # cells of the bar of traffic
_COLOUR_OF = {"True": "green", "False": "red", "firing": "red", "pending": "yellow", "ok": "green"}


@dataclass(frozen=True, slots=True)
class ForecastDescription:
    """All that `mlspec get` shows of a forecast. `releases`, `versions` and `events` are the newest first."""

    status: ForecastStatus
    description: str
    owner: str
    releases: Sequence[Release]
    versions: Sequence[Version]
    events: Sequence[Event]
    release: int | None

    def version_state(self, version: Version) -> str:
        """Return the state of a version in a word: serving with its share, quarantined, passed or rejected."""
        share = next((row["traffic"] for row in self.status.serving if row["version"] == version.version), None)
        if share is not None:
            return f"serving {share} %"
        return "quarantined" if version.version in self.status.ledger.quarantined_versions else version.state


def as_text(described: ForecastDescription, now_text: str) -> str:
    """Return the parts, one below the other; a part with nothing in it is left out. `now_text` is the time of the look."""
    parts: tuple[tuple[str, Iterable[str]], ...] = (
        ("Conditions", _condition_lines(described.status.conditions)),
        ("Traffic", _traffic_lines(described)),
        ("Errors", _error_lines(described)),
        ("Alerts", _alert_lines(described.status)),
        ("Needs attention", _attention_lines(described.status)),
        ("Versions", _version_lines(described)),
        ("Events", (f"  {event.at}  {event.reason}: {printable(event.message)}" for event in described.events)),
    )
    lines = [*_head_lines(described), f"looked at:    {now_text}"]
    for title, content in parts:
        if shown := list(content):
            lines += ["", click.style(f"{title}:", bold=True), *shown]
    return "\n".join(lines)


def _head_lines(described: ForecastDescription) -> list[str]:
    status = described.status
    state = click.style("ready", fg="green") if status.ready else click.style("not ready", fg="red")
    last = f"{status.last_run.created}, from the data up to {status.last_run.cutoff}" if status.last_run else "none yet"
    newest = next((release for release in described.releases if release.release == described.release), None)
    release = f"r{newest.release} since {newest.created}, spec {newest.spec_hash[:10]}" if newest else "none"
    facts = {
        "forecast": click.style(status.name, bold=True), "description": printable(described.description),
        "owner": printable(described.owner), "state": f"{state}{': ' if status.why else ''}{printable(status.why)}",
        "release": release, "last run": last, "next run": status.next_run or "none is scheduled",
    }  # fmt: skip
    return [f"{f'{title}:':<13} {text}" for title, text in facts.items() if text]


def _condition_lines(conditions: Sequence[Condition]) -> list[str]:
    if not conditions:
        return []
    rows = [
        [one.type, Styled(one.status, _COLOUR_OF.get(one.status, "yellow")), one.reason, one.since]
        for one in conditions
    ]
    table = format_table(["type", "status", "reason", "since"], rows, indent=2).split("\n")
    told = [
        line
        for one in conditions
        if one.message
        for line in textwrap.wrap(
            f"{one.type}: {printable(one.message)}", 78, initial_indent="  ", subsequent_indent="    ",
            break_on_hyphens=False, break_long_words=False,
        )
    ]  # fmt: skip
    return [*table, *told]


def _traffic_lines(described: ForecastDescription) -> list[str]:
    models = {version.version: version.candidate for version in described.versions}
    return [
        f"  {row['version']}  {traffic_bar(int(row['traffic']))} {row['traffic']:>3} %  {models.get(row['version'], '')}"
        for row in described.status.serving
    ]


def traffic_bar(percent: int) -> str:
    """Return a bar of a share; more than nothing is at least one cell, and less than all leaves one empty."""
    cells = round(_BAR * percent / 100)
    cells = max(cells, 1) if percent > 0 else 0
    cells = min(cells, _BAR - 1) if percent < 100 else _BAR
    return f"{'█' * cells}{'░' * (_BAR - cells)}"


def _error_lines(described: ForecastDescription) -> list[str]:
    status = described.status
    rows = [
        [
            metric.title,
            *(_metric_text(metric, side.get(metric.name)) for side in (status.ledger.metrics, status.metrics)),
        ]
        for metric in accuracy_metrics([status.ledger.metrics, status.metrics])
    ]  # fmt: skip
    if all(row[1] == row[2] == "-" for row in rows):
        return []
    table = format_table(["metric", "realised", "backtest"], rows, indent=2).split("\n")
    by_horizon = realised_sentence(status.ledger).partition("; ")[2]
    more = f"`mlspec errors {status.name} --by series` (or horizon, segment) shows more"
    return [*table, *([f"  {by_horizon}"] if by_horizon else []), f"  {more}"]


def _metric_text(metric: Metric, value: float | None) -> str:
    if value is None:
        return "-"
    return format_percent(value) if metric.unit == "share" else f"{value:.3f}"


def _alert_lines(status: ForecastStatus) -> list[str]:
    alerts = status.ledger.alerts
    if not alerts:
        return []
    rows = [[one.name, Styled(one.state, _COLOUR_OF.get(one.state, "")), one.value, one.since] for one in alerts]
    silent = {mute.alert: f"silent until {mute.until}, by {mute.by}: {mute.reason}" for mute in status.ledger.silences}
    return [
        *format_table(["alert", "state", "value", "since"], rows, indent=2).split("\n"),
        *(f"  {one.name}: {printable(one.message_without_name)}" for one in notable_alerts(status.ledger)),
        *(f"  {name}: {printable(text)}" for name, text in silent.items()),
    ]


def _attention_lines(status: ForecastStatus) -> list[str]:
    sentences = [
        status.kept_out, failure_sentence(status), *status.problems, *status.series, *rollout_sentences(status.ledger),
        *(undelivered_sentence(pending) for pending in status.undelivered),
    ]  # fmt: skip
    return [f"  {printable(sentence)}" for sentence in sentences if sentence]


def _version_lines(described: ForecastDescription) -> list[str]:
    if not described.versions:
        return []
    rows = [
        [
            one.version,
            one.created,
            one.candidate,
            format_percent(one.metrics.get(MAIN.name)),
            described.version_state(one),
        ]
        for one in described.versions
    ]
    return format_table(["version", "created", "model", f"backtest {MAIN.title}", "state"], rows, indent=2).split("\n")
