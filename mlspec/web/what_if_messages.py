"""The messages of POST /v1/models/NAME:whatIf, as pydantic models: they check requests, write answers and make the document."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from mlspec.engine.what_if import WhatIfComparison
from mlspec.plan.forecast_changes import SeriesChange
from mlspec.spec.forecast import Forecast
from mlspec.state.assumptions import Assumptions

_LONGEST = 200  # characters of a text
ShortText = StrictStr


class WhatIfRequest(BaseModel):
    """What is assumed of the plan of known covariates, for which series and periods."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    assumed: dict[str, StrictInt | StrictFloat | StrictStr] = Field(
        min_length=1,
        description="A value of each known covariate that is changed: a number, a text of the history, or a share to add (-10%).",
    )
    series: dict[str, StrictStr] = Field(
        default_factory=dict, description="Only for series with these values of series columns; all, if left out."
    )
    first: StrictStr | None = Field(default=None, alias="from", description="From this period on, such as 2026-12-24.")
    last: StrictStr | None = Field(default=None, alias="to", description="Up to this period.")

    def as_assumptions(self) -> Assumptions:
        """Return the same as the command line has it: every value as text."""
        values = {name: str(value)[:_LONGEST] for name, value in self.assumed.items()}
        return Assumptions(values, dict(self.series), self.first, self.last)


class WhatIfSums(BaseModel):
    """Sums over the periods: with the plan as it is (before), and with what is assumed (after)."""

    before: float | None
    after: float | None
    change: float | None
    change_share: float | None


class WhatIfSeries(WhatIfSums):
    """The sums of one series, which its columns name."""

    series: dict[str, str | int | float | bool | None]


class WhatIfResponse(BaseModel):
    """The forecast with the plan as it is beside the one that is assumed. The series that moves most comes first."""

    forecast: str
    cutoff: str
    assumed: dict[str, str]
    periods: list[str]
    total: WhatIfSums
    series: list[WhatIfSeries]
    notes: list[str]


def make_response(name: str, assumed: Assumptions, found: WhatIfComparison) -> WhatIfResponse:
    """Return the answer for a comparison."""
    return WhatIfResponse(
        forecast=name, cutoff=found.cutoff, assumed=dict(assumed.values), periods=list(found.changes.periods),
        total=WhatIfSums(**_sums(found.changes.total)),
        series=[
            WhatIfSeries(series=dict(zip(found.series, each.series, strict=True)), **_sums(each))
            for each in found.changes.series
        ],
        notes=list(found.notes),
    )  # fmt: skip


def _sums(change: SeriesChange) -> dict[str, float | None]:
    return {"before": change.before, "after": change.after, "change": change.change, "change_share": change.share}


def known_covariates(spec: Forecast) -> list[str]:
    """Return the known covariates whose values can be assumed."""
    covariates = spec.dataset.covariates
    return [*covariates.known, *covariates.computed]


def request_schema(spec: Forecast) -> dict[str, Any]:
    """Return the JSON Schema of a request for one forecast: its own covariates and series columns."""
    value = {"type": ["number", "string"]}
    text = {"type": "string"}
    assumed = {
        "type": "object", "minProperties": 1, "additionalProperties": False,
        "properties": dict.fromkeys(known_covariates(spec), value),
    }  # fmt: skip
    series = {
        "type": "object", "additionalProperties": False, "properties": dict.fromkeys(spec.dataset.series, text),
    }  # fmt: skip
    period = {"type": ["string", "null"], "description": "A period, such as 2026-12-24."}
    return {
        "type": "object", "required": ["assumed"], "additionalProperties": False,
        "properties": {"assumed": assumed, "series": series, "from": period, "to": period},
    }  # fmt: skip
