"""Answers one request: each series is predicted by the version that the traffic split assigns, as in the batch forecast."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.errors import ModelError
from mlspec.state.predicted import Predictions
from mlspec.state.split import series_partition, version_for
from mlspec.web.counts import RequestCounter
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
class PredictionHandler:
    """Answers requests and counts them. `timer` returns seconds; `say` prints a sentence for the server's operator."""

    counts: RequestCounter
    timer: Callable[[], float]
    say: Callable[[str], None]

    def __call__(self, name: str, cached: CachedForecast | str, body: bytes) -> HttpAnswer:
        """Return the answer to a request for the forecast `name`. Raises ClientError if the request is invalid."""
        start = self.timer()
        if isinstance(cached, str):
            answer, failed = _error_answer(503, f"{name} is not ready: {cached}"), {NO_VERSION: True}
        else:
            answer, failed = self._answer_by_version(
                name, cached, parse_instances(body, cached.spec, cached.any_predictions)
            )
        seconds = self.timer() - start
        for version, bad in failed.items():
            self.counts.record_request(name, version, seconds, failed=bad)
        return answer

    def _answer_by_version(
        self, name: str, cached: CachedForecast, instances: Sequence[Instance]
    ) -> tuple[HttpAnswer, dict[str, bool]]:
        """Return the answer, and for each used version whether it failed. If one version fails, the request fails."""
        predictions: list[dict[str, Any]] = []
        failed: dict[str, bool] = {}
        for instance in instances:
            version = version_for(series_partition(instance.key), cached.traffic)
            failed.setdefault(version, False)
            try:
                predictions.append(_predict_instance(instance, version, cached.versions[version].predictions))
            except Exception as error:  # any exception here counts as an error of that version
                logger.debug("%s failed a request", version, exc_info=error, extra={"forecast": name})
                if not failed[version]:
                    self.say(f"{name}: {version} failed a request: {type(error).__name__}: {error}")
                failed[version] = True
        failed_versions = [version for version, is_bad in failed.items() if is_bad]
        if failed_versions:
            return _error_answer(
                500, f"{name}: {' and '.join(failed_versions)} cannot predict; see the server log"
            ), failed
        return HttpAnswer(200, _encode_json(_predict_response(name, cached, predictions, list(failed)))), failed


def _predict_instance(instance: Instance, version: str, predictions: Predictions | str) -> dict[str, Any]:
    if isinstance(predictions, str):
        raise ModelError(predictions)
    periods = predictions.for_series(instance.key, instance.horizon)
    made_by = {"version": version}
    if instance.key in predictions.methods:
        made_by["method"] = predictions.methods[instance.key]
    return {**instance.columns, "cutoff": predictions.cutoff, **made_by, "forecast": periods}


def _predict_response(
    name: str, cached: CachedForecast, predictions: list[dict[str, Any]], versions: list[str]
) -> dict[str, Any]:
    """Return Vertex AI's PredictResponse (cloud.google.com/vertex-ai/docs/reference/rest/v1/PredictResponse)."""
    single_version = {"modelVersionId": versions[0]} if len(versions) == 1 else {}
    return {
        "predictions": predictions, "deployedModelId": f"r{cached.release.release}", "modelDisplayName": name, **single_version,
    }  # fmt: skip


def _error_answer(code: int, message: str) -> HttpAnswer:
    return HttpAnswer(code, _encode_json(error_body(code, message)))


def _encode_json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
