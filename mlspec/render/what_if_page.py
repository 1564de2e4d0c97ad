"""Renders the form that asks what a forecast would be with other known covariates, and the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from mlspec.render.change_part import ChangePart
from mlspec.render.chart import ChartWords, Line, Value, line_chart
from mlspec.render.page_frame import PageFrame, render_page
from mlspec.render.reader import Reader


@dataclass(frozen=True, slots=True)
class WhatIfForm:
    """What can be asked, and what was: `covariates` and `columns` of series have a text each, empty where nothing is asked.

    `start` and `end` are the periods of the newest forecast.
    """

    forecast: str
    unit: str
    covariates: Mapping[str, str]
    columns: Mapping[str, str]
    first: str = ""
    last: str = ""
    start: str | None = None
    end: str | None = None


@dataclass(frozen=True, slots=True)
class WhatIfPart:
    """The answer: what changes by series, the totals by period with the plan as it is and with what is assumed, and notes."""

    changes: ChangePart
    cutoff: str
    periods: Sequence[tuple[str, Value, Value]]
    notes: Sequence[str] = field(default_factory=list)


def render_what_if(
    form: WhatIfForm,
    answer: WhatIfPart | None,
    frame: PageFrame,
    reader: Reader,
    *,
    problem: str = "",
    suffix: str = "",
) -> str:
    """Return the page. `problem` says why there is no answer."""
    svg = Markup(_chart(form, answer, reader)) if answer else Markup()  # noqa: S704  (chart.py escapes every word)
    return render_page("what_if", frame, reader, form=form, answer=answer, svg=svg, problem=problem, suffix=suffix)


def _chart(form: WhatIfForm, answer: WhatIfPart, reader: Reader) -> str:
    lines = [
        Line(reader.say("plan as it is"), "actual", [before for _, before, _ in answer.periods]),
        Line(reader.say("what is assumed"), "forecast", [after for _, _, after in answer.periods]),
    ]
    words = ChartWords(reader.say("Total by period"), form.unit, reader.say("no data"), reader.number)
    return line_chart(words, [reader.period(time) for time, _, _ in answer.periods], lines)
