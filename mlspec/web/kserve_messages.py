"""The messages of KServe's time series contract, as pydantic models: they check requests, write answers and make the document.

Source: github.com/kserve/kserve, python/kserve/kserve/protocol/rest/timeseries/types.py (names, types and what is required) and
endpoints.py (the path); github.com/kserve/website, docs/reference/time_series/api.md (what the fields mean). The contract lets both
sides add fields, which a reader ignores.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictFloat, StrictInt, StrictStr

from mlspec.web.instances import MOST, whole_as_int

KserveFrequency = Literal[
    "second", "S", "minute", "T", "hour", "H", "day", "D", "week", "W", "month", "M", "quarter", "Q", "year", "Y"
]
Univariate = Literal["univariate_time_series"]
FREQUENCIES: tuple[str, ...] = get_args(KserveFrequency)


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class TimeSeriesInput(_Message):
    """One series to forecast. It is named, and its history is the one that mlspec has checked."""

    type: Univariate = Field(description="A forecast of mlspec is of one value a period.")
    name: StrictStr = Field(
        description="The series' key: the values of its series columns, joined by /; `all` for a forecast of one series. A "
        "name occurs once in a request."
    )
    series: list[Any] = Field(
        max_length=0,
        description="Has to be empty: the history is read from dataset.source, and values that are sent would be ignored.",
    )
    frequency: KserveFrequency = Field(description="The frequency of the forecast, in the contract's words.")
    start_timestamp: StrictStr | None = Field(default=None, description="Accepted, as there is no history to align.")


class ForecastOptions(_Message):
    """How far to forecast, and which quantiles to return."""

    horizon: Annotated[StrictInt, BeforeValidator(whole_as_int)] = Field(
        ge=1, description="Periods to forecast: at most the spec's horizon."
    )
    quantiles: list[StrictFloat | StrictInt] | None = Field(
        default=None, description="Quantiles of the spec (model.quantiles); if left out, the mean alone is returned."
    )


class ForecastRequest(_Message):
    """The body of POST /v1/timeseries/forecast."""

    model: StrictStr = Field(description="The name of a forecast that is served.")
    inputs: list[TimeSeriesInput] = Field(min_length=1, max_length=MOST)
    options: ForecastOptions
    metadata: dict[str, Any] | None = Field(default=None, description="Anything; it is ignored.")


class TimeSeriesForecast(_Message):
    """The forecast of one series. `cutoff`, `version` and `method` are mlspec's own additions."""

    type: Univariate
    name: str
    mean_forecast: list[float]
    frequency: KserveFrequency
    start_timestamp: str = Field(description="The first period of the forecast, ISO 8601.")
    quantiles: dict[str, list[float]] | None = None
    cutoff: str = Field(description="The last period of the history that it was made from.")
    version: str = Field(description="The version that made it.")
    method: str | None = Field(default=None, description="Where the spec has series forecast by a rule: which one.")


class ForecastOutput(_Message):
    """The result for one input."""

    type: Literal["time_series_forecast"]
    id: str
    status: Literal["completed"]
    content: list[TimeSeriesForecast] = Field(min_length=1, max_length=1)


class ForecastResponse(_Message):
    """The answer to POST /v1/timeseries/forecast: one output for each input, in the same order."""

    id: str
    created_at: int = Field(description="Unix time.")
    status: Literal["completed"]
    model: str
    outputs: list[ForecastOutput]


class KserveFault(_Message):
    """What is wrong with a request, or with the server."""

    code: str = Field(description="The HTTP status.")
    message: str
    param: str = Field(description="The part of the body that it is about; empty if it is about none.")
    type: str


class KserveErrorResponse(_Message):
    """An error in KServe's form."""

    error: KserveFault
