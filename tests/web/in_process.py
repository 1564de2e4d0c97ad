"""The server's application in this process, for forecasts whose predictions are numbers of a test; and what asks it."""

from __future__ import annotations

import asyncio
import json
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.types import ASGIApp

from mlspec.state.predicted import Predictions
from mlspec.state.record import Release
from mlspec.web.access import Access
from mlspec.web.admission import AdmissionMiddleware
from mlspec.web.answer import PredictionHandler
from mlspec.web.app import PlatformRoutes, make_app
from mlspec.web.counts import RequestCounter
from mlspec.web.prediction_cache import CachedForecast, PredictionCache, VersionPredictions
from mlspec.web.what_if import WhatIfAnswers, WhatIfJob
from tests.examples import forecast_spec

NOW = "2026-12-01T09:00:00Z"
TIMES = ("2024-02-12", "2024-02-13")
COLUMNS = ("mean", "q0.1", "q0.5", "q0.9")


def cached_forecast(
    *series: str, traffic: Mapping[str, int] | None = None, failed: str | None = None, **parts: Any
) -> CachedForecast:
    """A forecast of two days for these series; `failed` is why no version can predict, `parts` are of its spec.

    A value is 100 x the position of its series + 10 x the position of its day + the position of its column.
    """
    shares = traffic or {"v1": 100}
    values = {
        name: array("d", [100.0 * place + 10 * day + column for place in range(len(series)) for day in range(2)])
        for column, name in enumerate(COLUMNS)
    }
    places = {key: place for place, key in enumerate(series)}
    made = Predictions("2024-02-11", "2024-02-12T00:00:00Z", "day", TIMES, places, values)
    versions = {version: VersionPredictions((), failed or made) for version in shares}
    return CachedForecast(Release("demand", 3, "v1", "t", "h", {}), forecast_spec(**parts), dict(shares), versions)


@dataclass(frozen=True)
class HttpReply:
    """What an application answered."""

    code: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class InProcessServer:
    """The application for these forecasts; `said` holds what it told its operator."""

    def __init__(
        self, forecasts: Mapping[str, CachedForecast | str], access: Access | None = None, predict: str | None = None,
        what_if: WhatIfJob | None = None,
    ) -> None:  # fmt: skip
        self.said: list[str] = []
        cache = PredictionCache(cast("Any", None), tuple(forecasts), cast("Any", None), self.said.append)
        cache._forecasts = dict(forecasts)
        self.cache = cache
        self.counts = RequestCounter(cache, lambda: NOW)
        handler = PredictionHandler(self.counts, lambda: 0.0, self.said.append)
        application = make_app(
            cache, handler, PlatformRoutes(predict=predict), (), WhatIfAnswers(what_if) if what_if else None
        )
        self.app: ASGIApp = AdmissionMiddleware(application, access or Access(hosts=frozenset({"localhost"})))

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> HttpReply:
        """Send one request; a body that is not bytes is sent as JSON."""
        content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        typed = {} if body is None else {"content-type": "application/json", "content-length": str(len(content))}
        return asyncio.run(_call(self.app, method, path, content, {"host": "localhost", **typed, **headers}))

    def requests_by_version(self) -> dict[str, float]:
        """How many requests were counted for each version."""
        families = [family for family in self.counts.registry.collect() if family.name == "mlspec_requests"]
        samples = [one for family in families for one in family.samples if one.name.endswith("_total")]
        return {one.labels["version"]: one.value for one in samples}


async def _call(app: ASGIApp, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> HttpReply:
    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path, "raw_path": path.encode(),
        "query_string": b"", "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    named = {name.decode(): value.decode() for name, value in start["headers"]}
    return HttpReply(start["status"], named, b"".join(message.get("body", b"") for message in rest))
