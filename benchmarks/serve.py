"""What HTTP adds to one prediction: the server, against calling what answers it in the process.

Run: python benchmarks/serve.py. Applies a small project with the real pipeline, serves it in a process of its own, and asks both in
turns for the same series. Prints the difference of the medians of one run on one machine; exits 1 beyond the bar.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mlspec import jobs  # noqa: E402  (the tests' shop is beside the package)
from mlspec.web.answer import PredictionHandler  # noqa: E402
from mlspec.web.counts import RequestCounter  # noqa: E402
from mlspec.web.prediction_cache import CachedForecast, PredictionCache  # noqa: E402
from tests.web.shop import Shop, serving  # noqa: E402

ROUNDS, BAR = 1000, 5.0  # milliseconds
BODY = json.dumps({"instances": [{"shop": "001"}]}).encode()


def milliseconds(call: Callable[[], bytes]) -> float:
    """Return how long a call took."""
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1000


def asked(connection: http.client.HTTPConnection) -> bytes:
    """Send one request on an open connection, as a service that asks often does."""
    connection.request("POST", "/v1/models/demand:predict", BODY, {"content-type": "application/json"})
    answer = connection.getresponse()
    found = answer.read()
    assert answer.status == 200, found
    return found


def main() -> int:
    """Measure, print, and return 1 where the bar is not met."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        shop.look()
        shelf = PredictionCache(shop.target, ["demand"], jobs.predict, print)
        shelf.refresh()
        answers = shelf.find_forecast("demand")
        assert isinstance(answers, CachedForecast)
        answering = PredictionHandler(RequestCounter(shelf, lambda: "2026-11-26T00:00:00Z"), time.perf_counter, print)
        with serving(shop.root) as server:
            connection = http.client.HTTPConnection("127.0.0.1", server.port)
            assert asked(connection) == answering("demand", answers, BODY).body
            pairs = [
                (
                    milliseconds(lambda: asked(connection)),
                    milliseconds(lambda: answering("demand", answers, BODY).body),
                )
                for _ in range(ROUNDS)
            ]
            connection.close()
    over_http, in_process = (statistics.median(column) for column in zip(*pairs, strict=True))
    found = over_http - in_process
    print(
        f"{'ok  ' if found <= BAR else 'MISS'} {found:8.2f} ms  (bar {BAR:g})  one prediction through HTTP - in the process"
    )
    print(f"     HTTP {over_http:.2f} ms, in the process {in_process:.3f} ms, {ROUNDS} of each in turns")
    return int(found > BAR)


if __name__ == "__main__":
    sys.exit(main())
