"""One request about one forecast: each series by the version that it belongs to, by the split that a batch forecast goes by."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mlspec.errors import ModelError
from mlspec.state.predicted import Predictions
from mlspec.state.split import bucket, version_for
from mlspec.web.counts import Counts
from mlspec.web.instances import Asked, read
from mlspec.web.problem import problem
from mlspec.web.shelf import Answers

logger = logging.getLogger(__name__)
NO_VERSION = ""  # what a request is counted under that no version could be asked


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    code: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Answering:
    """Answers requests and counts them. `timer` returns seconds; `say` takes a sentence for whoever runs the server."""

    counts: Counts
    timer: Callable[[], float]
    say: Callable[[str], None]

    def __call__(self, name: str, found: Answers | str, body: bytes) -> Answer:
        """Return the answer to a request about the forecast `name`. Raises Mistake where the client has to send another."""
        start = self.timer()
        if isinstance(found, str):
            answer, failed = _failed(503, f"{name} is not ready: {found}"), {NO_VERSION: True}
        else:
            answer, failed = self._of_versions(name, found, read(body, found.release.spec, found.any))
        seconds = self.timer() - start
        for version, bad in failed.items():
            self.counts.add(name, version, seconds, failed=bad)
        return answer

    def _of_versions(self, name: str, found: Answers, asked: Sequence[Asked]) -> tuple[Answer, dict[str, bool]]:
        """Return the answer, and of each version that was asked whether it failed: one that fails, fails the request."""
        predictions: list[dict[str, Any]] = []
        failed: dict[str, bool] = {}
        for each in asked:
            version = version_for(bucket(each.key), found.traffic)
            failed.setdefault(version, False)
            try:
                predictions.append(_prediction(each, version, found.made[version].found))
            except Exception as error:  # whatever a version's predictions break with is that version's error
                logger.debug("%s failed a request", version, exc_info=error, extra={"forecast": name})
                if not failed[version]:
                    self.say(f"{name}: {version} failed a request: {type(error).__name__}: {error}")
                failed[version] = True
        bad = [version for version, is_bad in failed.items() if is_bad]
        if bad:
            return _failed(500, f"{name}: {' and '.join(bad)} cannot predict; the server's own output says why"), failed
        return Answer(200, _json(_response(name, found, predictions, list(failed)))), failed


def _prediction(asked: Asked, version: str, found: Predictions | str) -> dict[str, Any]:
    if isinstance(found, str):
        raise ModelError(found)
    periods = found.of(asked.key, asked.horizon)
    return {**asked.columns, "cutoff": found.cutoff, "version": version, "forecast": periods}


def _response(name: str, found: Answers, predictions: list[dict[str, Any]], versions: list[str]) -> dict[str, Any]:
    """Return Vertex AI's PredictResponse (cloud.google.com/vertex-ai/docs/reference/rest/v1/PredictResponse)."""
    one = {"modelVersionId": versions[0]} if len(versions) == 1 else {}
    return {
        "predictions": predictions, "deployedModelId": f"r{found.release.release}", "modelDisplayName": name, **one,
    }  # fmt: skip


def _failed(code: int, message: str) -> Answer:
    return Answer(code, _json(problem(code, message)))


def _json(value: Any) -> bytes:
    return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()
