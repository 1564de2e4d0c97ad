"""Steps that take no time: they stand at the seam between engine and jobs, and are as deterministic as the real ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mlspec.engine.context import Engine
from mlspec.errors import ModelError
from mlspec.spec.digest import digest_values, resolved_json, spec_digest
from mlspec.spec.forecast import Forecast
from mlspec.state.step import Progress, StepRequest, StepResult
from tests.examples import forecast_spec
from tests.stores import target_at

METRICS = {"wape": 0.1, "mase": 1.0, "rmsse": 1.0, "bias": 0.0, "pinball": 0.1, "coverage": 0.8}


class Steps:
    """Answers each step from its inputs alone, and counts what it was asked."""

    def __init__(self, *, wape: float = 0.1, data_ok: bool = True, fails: str | None = None) -> None:
        self.metrics = {**METRICS, "wape": wape}
        self.data_ok, self.fails = data_ok, fails
        self.asked: list[str] = []

    def __call__(self, request: StepRequest, progress: Progress) -> StepResult:
        self.asked.append(request.step)
        progress(0, 1, request.step)
        if request.step == self.fails:
            raise ModelError(f"{request.step} cannot be done", hint="try another")
        facts: dict[str, Any] = getattr(self, request.step)(request)
        outputs = {role: self._file(request, role) for role in facts.pop("outputs")}
        return StepResult(outputs, facts)

    def _file(self, request: StepRequest, role: str) -> Path:
        seen = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in request.inputs.items()}
        # The states that are kept are older than keys which say where steps run, and than all keys that came later.
        spec: dict[str, Any] = {key: value for key, value in digest_values(request.spec).items() if key != "training"}
        spec["deployment"] = {key: value for key, value in spec["deployment"].items() if key != "batch_machine"}
        path = request.out / f"{role}.bin"
        path.write_text(
            json.dumps(
                {"role": role, "spec": spec, "inputs": seen, "options": dict(request.options)},
                sort_keys=True,
            )
        )
        return path

    def check(self, request: StepRequest) -> dict[str, Any]:
        request = StepRequest(request.step, request.spec, request.root, request.out)
        checks = [{"check": "gaps", "ok": self.data_ok, "message": "3 periods are missing", "count": 3, "examples": []}]
        return {
            "outputs": ("quality", "panel", "series") if self.data_ok else ("quality",),
            "ok": self.data_ok, "rows": 84, "series": 2, "start": "2024-01-01", "cutoff": "2024-02-11", "checks": checks,
        }  # fmt: skip

    def backtest(self, request: StepRequest) -> dict[str, Any]:
        candidate = {"kind": "seasonal-naive", "name": None, "season": 7}
        return {
            "outputs": ("backtest", "scores"),
            "champion": "seasonal-naive", "champion_candidate": candidate, "cutoffs": ["2024-02-07"], "windows": 1,
            "metrics": self.metrics, "floor": METRICS, "incumbent": METRICS if request.options["incumbent"] else None,
            "candidates": [{"name": "seasonal-naive", "kind": "seasonal-naive", "metrics": self.metrics}],
            "deployed": self.metrics if request.options["incumbent"] else None,
            "by": [], "auto": [], "notes": [], "interval": 0.8,
        }  # fmt: skip

    def train(self, request: StepRequest) -> dict[str, Any]:
        return {"outputs": ("model",), "format": "test", "candidate": request.options["candidate"]}

    def forecast(self, _request: StepRequest) -> dict[str, Any]:
        return {
            "outputs": ("forecast",),
            "rows": 4,
            "series": 2,
            "cutoff": "2024-02-11",
            "start": "2024-02-12",
            "end": "2024-02-13",
        }

    def inventory(self, _request: StepRequest) -> dict[str, Any]:
        return {"outputs": ("inventory",), "protection_periods": 2, "service_level": 0.95, "formula": "f"}

    def evaluate(self, request: StepRequest) -> dict[str, Any]:
        values = [
            {"name": alert["name"], "segments": {"": [self.metrics["wape"]] * 9}} for alert in request.spec["alerts"]
        ]
        steps = [{"step": step, "metrics": {**self.metrics, "wape": step / 10}} for step in (1, 2)]
        found = {"periods": 9, "metrics": self.metrics, "by_horizon": steps, "alerts": values}
        return {"outputs": ("evaluation",), **found}


class Spec(SimpleNamespace):
    """A resolved spec as the engine sees it."""

    name: str
    forecast: Forecast
    json: Mapping[str, Any]
    spec_hash: str


def spec(name: str = "demand", **parts: Any) -> Spec:
    """The example spec, with top-level parts merged over it."""
    forecast = forecast_spec(name, **parts)
    value = resolved_json(forecast)
    return Spec(name=name, forecast=forecast, json=value, spec_hash=spec_digest(value))


def engine(root: Path, steps: Steps | None = None, code: str = "0.1.0", now: str = "2024-03-01T00:00:00Z") -> Engine:
    """An engine on the target of the project at `root`, where the clock stands still."""
    return Engine(target_at(root), steps or Steps(), root, lambda: now, code, {"numpy": "2"}, lambda *_: None, code)
