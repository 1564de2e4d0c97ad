"""What a page asks of a what-if, and its answer as the facts of a page."""

from __future__ import annotations

from starlette.requests import Request

from mlspec.engine.serving_record import ServingRecord
from mlspec.engine.what_if import WhatIfComparison
from mlspec.plan.releases import release_spec
from mlspec.render.reader import Reader
from mlspec.render.what_if_page import WhatIfForm, WhatIfPart
from mlspec.state.assumptions import Assumptions
from mlspec.state.record import ForecastRun
from mlspec.web.change_facts import change_part
from mlspec.web.page_answers import read_parameter
from mlspec.web.what_if_messages import known_covariates


def read_what_if(
    request: Request, served: ServingRecord, run: ForecastRun, reader: Reader
) -> tuple[WhatIfForm, Assumptions]:
    """Return the form with what its address asks, and that as assumptions; without values nothing is asked.

    Numbers and dates may be typed as the page of the reader writes its own.
    """
    spec = release_spec(served.release)
    covariates = {name: read_parameter(request, f"set.{name}").strip() for name in known_covariates(spec)}
    columns = {name: read_parameter(request, f"only.{name}").strip() for name in spec.dataset.series}
    first, last = read_parameter(request, "from").strip(), read_parameter(request, "to").strip()
    form = WhatIfForm(
        spec.metadata.name, spec.dataset.target, covariates, columns, first, last, run.facts.get("start"), run.facts.get("end")
    )  # fmt: skip
    assumed = Assumptions(
        {name: reader.read_number(text) for name, text in covariates.items() if text},
        {name: text for name, text in columns.items() if text},
        reader.read_period(first) or None,
        reader.read_period(last) or None,
    )
    return form, assumed


def what_if_part(found: WhatIfComparison) -> WhatIfPart:
    """Return what the page shows of an answer."""
    time = found.rows.columns.index(found.time)
    sums: dict[str, tuple[float, float]] = {}
    for row in found.rows.values:
        before, after = sums.get(row[time], (0.0, 0.0))
        sums[row[time]] = (before + (row[-2] or 0.0), after + (row[-1] or 0.0))
    periods = [(at, *sums[at]) for at in sorted(sums)]
    return WhatIfPart(change_part(found.series, found.changes), found.cutoff, periods, found.notes)
