"""Answers in KServe's time series contract, whose source `kserve_messages` names: the same forecasts as in Vertex AI's."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from mlspec.spec.forecast import Forecast
from mlspec.state.predicted import Predictions
from mlspec.web.answer import SeriesForecast
from mlspec.web.instances import Instance, parse_json, quote_value, unknown_series_text
from mlspec.web.kserve_messages import (
    ForecastOutput,
    ForecastRequest,
    ForecastResponse,
    KserveErrorResponse,
    KserveFault,
    TimeSeriesForecast,
    TimeSeriesInput,
)
from mlspec.web.prediction_cache import CachedForecast
from mlspec.web.problem import ClientError

EXAMPLE = '{"model": ..., "inputs": [...], "options": {"horizon": ...}}'
# base alias of a spec's frequency: the two words of the contract for it. It has none for business days.
_WORDS = {
    "min": ("T", "minute"), "h": ("H", "hour"), "D": ("D", "day"), "W": ("W", "week"), "MS": ("M", "month"), "ME": ("M", "month"),
    "QS": ("Q", "quarter"), "QE": ("Q", "quarter"), "YS": ("Y", "year"), "YE": ("Y", "year"),
}  # fmt: skip
# HTTP status: the type of an error. KServe's own code writes BadRequestError where it says nothing else.
_TYPES = {404: "NotFoundError", 500: "InternalServerError", 503: "ServiceUnavailableError"}


class BodyPartError(ClientError):
    """A part of the body is invalid; `param` is its path."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(f"{param}: {message}" if param else message)
        self.param = param


def parse_request(body: bytes) -> ForecastRequest:
    """Return the request. Raises ClientError that says what was expected."""
    value = parse_json(body, EXAMPLE)
    if not isinstance(value, dict):
        raise ClientError(f"expected an object: {EXAMPLE}")
    try:
        request = ForecastRequest.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BodyPartError(first["msg"], ".".join(map(str, first["loc"]))) from error
    _refuse_repeated_names([item.name for item in request.inputs])
    return request


def _refuse_repeated_names(names: Sequence[str]) -> None:
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            raise BodyPartError(
                f"{quote_value(name)} occurs twice: a name is unique in a request", f"inputs.{number}.name"
            )
        seen.add(name)


def frequency_words(spec: Forecast) -> tuple[str, ...]:
    """Return the contract's words for a spec's frequency; none where it has none: 2W, business days, a calendar of open days."""
    alias = spec.dataset.frequency.partition("-")[0]
    if spec.dataset.calendar is not None or not re.fullmatch(r"[A-Za-z]+", alias):
        return ()
    return _WORDS.get(alias, ())


def error_value(error: ClientError) -> dict[str, Any]:
    """Return an invalid request's error in KServe's form."""
    return _error_value(error.code, error.message, error.param if isinstance(error, BodyPartError) else "")


def _error_value(code: int, message: str, param: str = "") -> dict[str, Any]:
    fault = KserveFault(code=str(code), message=message, param=param, type=_TYPES.get(code, "BadRequestError"))
    return KserveErrorResponse(error=fault).model_dump()


@dataclass(frozen=True, slots=True)
class KserveFormat:
    """The form of one request. `now` is the moment of the answer, RFC 3339 in UTC."""

    request: ForecastRequest
    now: str

    def read_instances(self, cached: CachedForecast) -> Sequence[Instance]:
        """Return one instance for each input. Raises ClientError that says what was expected."""
        spec, known = cached.spec, cached.any_predictions
        horizon = self.request.options.horizon
        if horizon > spec.model.horizon:
            raise BodyPartError(f"expected 1 to {spec.model.horizon}, the spec's horizon", "options.horizon")
        self._chosen_quantiles(spec)
        return [
            _read_input(item, f"inputs.{number}", spec, horizon, known)
            for number, item in enumerate(self.request.inputs)
        ]

    def write_forecasts(self, name: str, cached: CachedForecast, forecasts: Sequence[SeriesForecast]) -> Any:
        """Return a ForecastResponse, with one output for each input."""
        quantiles = self._chosen_quantiles(cached.spec)
        outputs = [
            _write_output(item, forecast, cached.spec.dataset.time, quantiles)
            for item, forecast in zip(self.request.inputs, forecasts, strict=True)
        ]
        created = int(datetime.fromisoformat(self.now).timestamp())
        response = ForecastResponse(
            id=f"resp_{uuid4().hex}", created_at=created, status="completed", model=name, outputs=outputs
        )
        return response.model_dump(exclude_none=True)

    def write_error(self, code: int, message: str) -> Any:
        """Return an error in KServe's form."""
        return _error_value(code, message)

    def _chosen_quantiles(self, spec: Forecast) -> dict[str, str]:
        """Return the column of each quantile that was asked for. Raises ClientError for one that the spec does not have."""
        own = {f"{quantile:g}": f"q{quantile:g}" for quantile in spec.model.quantiles}
        asked = [f"{quantile:g}" for quantile in self.request.options.quantiles or ()]
        missing = next((quantile for quantile in asked if quantile not in own), None)
        if missing is not None:
            raise BodyPartError(f"{missing} is not forecast; expected some of {', '.join(own)}", "options.quantiles")
        return {quantile: own[quantile] for quantile in asked}


def _read_input(item: TimeSeriesInput, where: str, spec: Forecast, horizon: int, known: Predictions | None) -> Instance:
    words = frequency_words(spec)
    if not words:
        message = f"the contract has no word for {spec.dataset.frequency} with the spec's open days"
        raise BodyPartError(f"{message}: POST /v1/models/{spec.metadata.name}:predict instead", f"{where}.frequency")
    if item.frequency not in words:
        raise BodyPartError(f"expected {' or '.join(words)}, the forecast's frequency", f"{where}.frequency")
    if known is not None and item.name not in known.positions:
        raise BodyPartError(unknown_series_text(quote_value(item.name), known), f"{where}.name")
    return Instance({}, item.name, horizon)


def _write_output(
    item: TimeSeriesInput, forecast: SeriesForecast, time: str, quantiles: Mapping[str, str]
) -> ForecastOutput:
    periods = forecast.periods
    content = TimeSeriesForecast(
        type=item.type,
        name=item.name,
        mean_forecast=[_number(period["mean"]) for period in periods],
        frequency=item.frequency,
        start_timestamp=str(periods[0][time]),
        quantiles={text: [_number(period[column]) for period in periods] for text, column in quantiles.items()} or None,
        cutoff=forecast.cutoff,
        version=forecast.version,
        method=forecast.method,
    )
    return ForecastOutput(type="time_series_forecast", id=f"ts_{uuid4().hex}", status="completed", content=[content])


def _number(value: Any) -> float:
    return float(value)
