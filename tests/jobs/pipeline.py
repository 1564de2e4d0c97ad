"""Runs the real pipeline on a small history, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlspec import jobs
from mlspec.state.step import StepName, StepRequest, StepResult
from tests.examples import spec_json

NOW = "2024-02-13T00:00:00Z"
QUICK: list[dict[str, Any]] = [
    {"kind": "seasonal-naive", "season": 7},
    {"kind": "croston"},
    {"kind": "ensemble", "of": "all"},
]


class Pipeline:
    """One project in a folder, and its steps by name; what a step wrote is given to the next."""

    def __init__(self, root: Path, **parts: Any) -> None:
        self.root = root
        self.spec = spec_json()
        for key, part in parts.items():
            self.spec[key] = {**(self.spec[key] or {}), **part} if isinstance(part, dict) else part
        self.files: dict[str, Path] = {}
        self.facts: dict[str, dict[str, Any]] = {}
        self.said: list[str] = []
        self.count = 0

    def data(self, text: str, name: str = "sales.csv") -> Pipeline:
        (self.root / "data").mkdir(exist_ok=True)
        (self.root / "data" / name).write_text(text)
        return self

    def run(self, step: StepName, **options: Any) -> dict[str, Any]:
        self.count += 1
        out = self.root / "out" / f"{self.count}-{step}"
        out.mkdir(parents=True)
        request = StepRequest(step, self.spec, self.root, out, dict(self.files), options)
        result: StepResult = jobs.run(request, lambda _done, _total, text: self.said.append(text))
        self.files |= result.outputs
        self.facts[step] = dict(result.facts)
        return self.facts[step]

    def check(self) -> dict[str, Any]:
        return self.run("check", now=NOW)

    def whole(self) -> Pipeline:
        assert self.check()["ok"], self.facts["check"]
        scores = self.run("backtest", incumbent=None)
        self.run("train", candidate=scores["champion_candidate"])
        self.run("forecast", version="v1")
        self.run("inventory")
        return self
