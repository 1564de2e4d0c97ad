"""Renders the releases of a forecast: a list of them, and two of them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlspec.render.change_part import ChangePart
from mlspec.render.page_frame import PageFrame, render_page
from mlspec.render.reader import Reader
from mlspec.spec.metrics import accuracy_metrics
from mlspec.state.resource import Json, field_text

SHOWN_RELEASES = 100
_LONGEST_VALUE = 200  # characters of a field's value


@dataclass(frozen=True, slots=True)
class ReleaseFacts:
    """One release: when it was made (RFC 3339), what serves under it, and its metrics in the backtest and as they turned out.

    `values` counts the realised values; `serves` is its share of the traffic now, in percent.
    """

    release: int
    created: str
    version: str
    candidate: str
    backtest: Mapping[str, float | None]
    realised: Mapping[str, float | None] | None = None
    values: int = 0
    serves: int = 0


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """A key of the spec that differs, and its values."""

    field: str
    before: Json
    after: Json


@dataclass(frozen=True, slots=True)
class ReleasePair:
    """Two releases beside each other: what differs in their specs, and in the last forecasts that they made.

    `cutoffs` are those of the forecasts; `problem` says why they are not compared.
    """

    before: ReleaseFacts
    after: ReleaseFacts
    fields: Sequence[FieldFacts]
    changes: ChangePart | None = None
    cutoffs: tuple[str, str] = ("", "")
    problem: str = ""


def render_releases(
    forecast: str,
    releases: Sequence[ReleaseFacts],
    pair: ReleasePair | None,
    frame: PageFrame,
    reader: Reader,
    *,
    pending: bool,
    suffix: str = "",
) -> str:
    """Return the page. `releases` are the newest first; `pending` says that realised errors are still being measured."""
    return render_page(
        "releases", frame, reader, forecast=forecast, releases=releases[:SHOWN_RELEASES],
        hidden=max(len(releases) - SHOWN_RELEASES, 0), choices=releases, pair=pair, pending=pending,
        metrics=accuracy_metrics([release.backtest for release in releases] + [release.realised for release in releases]),
        value=_value_text, suffix=suffix,
    )  # fmt: skip


def _value_text(value: Json) -> str:
    """Return a field's value as a spec would have it; a dash where it is not set."""
    if value is None:
        return "–"
    text = field_text(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
