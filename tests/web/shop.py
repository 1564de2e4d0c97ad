"""A shop whose forecasts are made by the real steps, and a real server in a process of its own that answers for it."""

from __future__ import annotations

import csv
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from mlspec.cli.target import open_engine
from mlspec.clock import utc_now
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.loop import reconcile_specs
from mlspec.engine.pass_result import PassResult
from mlspec.plan.moments import format_moment
from mlspec.spec import read_specs
from mlspec.targets.local.target import LocalTarget
from tests.examples import project, sales, spec_text
from tests.waiting import PATIENCE, STARTING, until

SHOPS = tuple(f"{number:03}" for number in range(12))
ERRORS = {"name": "errors", "metric": "error_rate", "above": 0.1}
SECOND = {"candidates": [{"kind": "croston"}]}  # another version


class Shop:
    """One project with one forecast, `demand`, of twelve series. `now` moves by hand, and begins at the present."""

    def __init__(self, folder: Path, shops: tuple[str, ...] = SHOPS, **parts: Any) -> None:
        self.root = project(folder / "shop")
        (self.root / "data/sales.csv").write_text(sales(shops=shops))
        self.now = utc_now()
        self.parts = parts
        self.write()

    def write(self, **parts: Any) -> None:
        """Commit a spec: the example's, with these parts merged over it."""
        import yaml

        value = yaml.safe_load(spec_text())
        for key, part in {**self.parts, **parts}.items():
            value[key] = {**value.get(key, {}), **part} if isinstance(part, dict) else part
        (self.root / "specs/demand.yaml").write_text(yaml.safe_dump(value))

    @property
    def target(self) -> LocalTarget:
        return LocalTarget(self.root / ".mlspec")

    def look(self) -> PassResult:
        """Make a pass of the loop."""
        engine = replace(open_engine(self.target, self.root, ignore_progress), clock=lambda: format_moment(self.now))
        loaded = read_specs([self.root / "specs"], self.root, "local")
        assert not loaded.faults, loaded.faults
        (found,) = reconcile_specs(engine, loaded.specs)
        assert found.error is None, found.error
        return found

    def pass_time(self, **span: float) -> None:
        self.now += timedelta(**span)

    @property
    def traffic(self) -> dict[str, int]:
        found: dict[str, int] = self.target.observe_forecast("demand").find_fact("deployment", "traffic")
        return found

    def model_of(self, version: str) -> str:
        """The digest of a version's model file."""
        found = next(each for each in self.target.load_versions("demand") if each.version == version)
        return found.files["model"].sha256

    def forecast(self) -> list[dict[str, str]]:
        """The newest batch forecast, as a user reads it."""
        done = mlspec(self.root, "forecast", "demand", "--output", "csv")
        assert done.returncode == 0, done.stderr
        return list(csv.DictReader(io.StringIO(done.stdout)))


def mlspec(root: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    argv = [sys.executable, "-m", "mlspec", *words]
    return subprocess.run(
        argv, cwd=root, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=STARTING
    )


@dataclass
class Server:
    """A running server: its process, and its address."""

    process: subprocess.Popen[str]
    port: int
    said: Path

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Send one request on a connection of its own, and return status, headers and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            got = connection.getresponse()
            return got.status, {name.lower(): value for name, value in got.getheaders()}, got.read()
        finally:
            connection.close()

    def predict(self, *instances: dict[str, Any], **parameters: Any) -> tuple[int, Any]:
        """Ask for predictions of the forecast `demand`."""
        body = json.dumps({"instances": instances, "parameters": parameters}).encode()
        status, _, found = self.ask("POST", "/v1/models/demand:predict", body, content_type="application/json")
        return status, json.loads(found)

    def versions(self) -> dict[str, str]:
        """Which version answers for each series."""
        status, found = self.predict(*({"shop": shop} for shop in SHOPS))
        assert status == 200, found
        return {each["shop"]: each["version"] for each in found["predictions"]}

    def ready(self) -> bool:
        return self.ask("GET", "/readyz")[0] == 200

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    @property
    def log(self) -> str:
        """What it said on stderr."""
        return self.said.read_text()


@contextmanager
def serving(root: Path, *words: str, before: str = "", ready: bool = True, **environment: str) -> Iterator[Server]:
    """Run a server for the length of a block; `before` is Python that its process runs first, at the seams."""
    # The process that predictions are forked from imports libraries for seconds, and coverage has nothing to measure there.
    unmeasured = "import os\nos.environ.pop('COVERAGE_PROCESS_CONFIG', None)"
    code = f"{unmeasured}\n{before}\nfrom mlspec.__main__ import main\nmain(['serve', '--port', '0', *{list(words)!r}])"
    said = root / "server.err"
    with said.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=root, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=err,
            text=True,
        )  # fmt: skip
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://[0-9.]+:([0-9]+)", line)
        assert found, line + said.read_text()
        server = Server(process, int(found[1]), said)
        if ready:
            until(server.ready, STARTING)
        yield server
        assert "Traceback" not in server.log
        process.terminate()  # coverage is written where a process ends by itself
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def broken(model: str) -> str:
    """Return Python that makes one model's predictions fail where jobs make them."""
    return f"""
from mlspec import jobs
real = jobs.predict_apart
def predict(request):
    if {model!r} in str(request.inputs['model'].resolve()):
        raise RuntimeError('this version cannot predict')
    return real(request)
jobs.predict_apart = predict
"""
