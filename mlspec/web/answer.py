"""Answers one request: each series is predicted by the version that the traffic split assigns, as in the batch forecast."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mlspec.errors import ModelError
from mlspec.state.predicted import Predictions
from mlspec.state.resource import Json
from mlspec.state.split import series_partition, version_for
from mlspec.web.counts import RequestCounter
from mlspec.web.failure_log import FailureLog
from mlspec.web.instances import Instance, parse_instances
from mlspec.web.prediction_cache import CachedForecast
from mlspec.web.problem import error_body

logger = logging.getLogger(__name__)
NO_VERSION = ""  # the version name in the request counts if no version was available


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """The HTTP status and body of an answer."""

    code: int
    body: bytes


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """The forecast of one instance: the version that made it, from which cutoff, and its periods.

    `method` is None where the spec's forecast does not say it.
    """

    instance: Instance
    version: str
    cutoff: str
    method: str | None
    periods: Sequence[Mapping[str, Json]]


class AnswerFormat(Protocol):
    """The form of one request: which series it names, and how forecasts and errors are written in its contract."""

    def read_instances(self, cached: CachedForecast) -> Sequence[Instance]:
        """Return what is asked. Raises ClientError that says what was expected."""
        ...

    def write_forecasts(self, name: str, cached: CachedForecast, forecasts: Sequence[SeriesForecast]) -> Any:
        """Return the answer's value, with one forecast for each instance."""
        ...

    def write_error(self, code: int, message: str) -> Any:
        """Return the value of an error of the server."""
        ...


@dataclass(frozen=True, slots=True)
class VertexFormat:
    """Vertex AI's contract: a PredictRequest in `body`, and a PredictResponse."""

    body: bytes

    def read_instances(self, cached: CachedForecast) -> Sequence[Instance]:
        """Return the instances of the body."""
        return parse_instances(self.body, cached.spec, cached.any_predictions)

    def write_forecasts(self, name: str, cached: CachedForecast, forecasts: Sequence[SeriesForecast]) -> Any:
        """Return a PredictResponse (cloud.google.com/vertex-ai/docs/reference/rest/v1/PredictResponse)."""
        versions = {forecast.version for forecast in forecasts}
        single_version = {"modelVersionId": forecasts[0].version} if len(versions) == 1 else {}
        return {
            "predictions": [_vertex_prediction(forecast) for forecast in forecasts],
            "deployedModelId": f"r{cached.release.release}", "modelDisplayName": name, **single_version,
        }  # fmt: skip

    def write_error(self, code: int, message: str) -> Any:
        """Return an error in the form of Google's APIs."""
        return error_body(code, message)


def _vertex_prediction(forecast: SeriesForecast) -> dict[str, Any]:
    made_by = {"version": forecast.version} | ({} if forecast.method is None else {"method": forecast.method})
    return {**forecast.instance.columns, "cutoff": forecast.cutoff, **made_by, "forecast": forecast.periods}


class PredictionHandler:
    """Answers requests and counts them. `timer` returns seconds; `say` prints a sentence for the server's operator."""

    def __init__(self, counts: RequestCounter, timer: Callable[[], float], say: Callable[[str], None]) -> None:
        self.counts, self.timer, self.say = counts, timer, say
        self._failures = FailureLog(timer, say)

    def __call__(self, name: str, cached: CachedForecast | str, body: bytes) -> HttpAnswer:
        """Return the answer to a request in Vertex AI's contract. Raises ClientError if the request is invalid."""
        return self.answer(name, cached, VertexFormat(body))

    def answer(self, name: str, cached: CachedForecast | str, form: AnswerFormat) -> HttpAnswer:
        """Return the answer to a request for the forecast `name`. Raises ClientError if the request is invalid."""
        start = self.timer()
        if isinstance(cached, str):
            answer, failed = _error_answer(form, 503, f"{name} is not ready: {cached}"), {NO_VERSION: True}
        else:
            answer, failed = self._answer_by_version(name, cached, form)
        seconds = self.timer() - start
        for version, bad in failed.items():
            self.counts.record_request(name, version, seconds, failed=bad)
        return answer

    def _answer_by_version(
        self, name: str, cached: CachedForecast, form: AnswerFormat
    ) -> tuple[HttpAnswer, dict[str, bool]]:
        """Return the answer, and for each used version whether it failed. If one version fails, the request fails."""
        forecasts: list[SeriesForecast] = []
        failed: dict[str, bool] = {}
        for instance in form.read_instances(cached):
            version = version_for(series_partition(instance.key), cached.traffic)
            failed.setdefault(version, False)
            try:
                forecasts.append(_forecast_instance(instance, version, cached.versions[version].predictions))
            except Exception as error:  # any exception here counts as an error of that version
                logger.debug("%s failed a request", version, exc_info=error, extra={"forecast": name})
                if not failed[version]:
                    self._failures.report_failure(name, version, f"{type(error).__name__}: {error}")
                failed[version] = True
        failed_versions = [version for version, is_bad in failed.items() if is_bad]
        if failed_versions:
            message = f"{name}: {' and '.join(failed_versions)} cannot predict; see the server log"
            return _error_answer(form, 500, message), failed
        return HttpAnswer(200, _encode_json(form.write_forecasts(name, cached, forecasts))), failed


def _forecast_instance(instance: Instance, version: str, predictions: Predictions | str) -> SeriesForecast:
    if isinstance(predictions, str):
        raise ModelError(predictions)
    periods = predictions.for_series(instance.key, instance.horizon)
    return SeriesForecast(instance, version, predictions.cutoff, predictions.methods.get(instance.key), periods)


def _error_answer(form: AnswerFormat, code: int, message: str) -> HttpAnswer:
    return HttpAnswer(code, _encode_json(form.write_error(code, message)))


def _encode_json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
