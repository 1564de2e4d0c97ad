"""The engine with the real pipeline: the same input gives the same bytes, and a step's key holds all that it reads."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec import jobs
from mlspec.engine.apply import apply_specs
from mlspec.engine.context import Engine
from mlspec.engine.pipeline import _step_key, run_step
from mlspec.forecast import series_parts
from mlspec.jobs import panel_parts
from mlspec.jobs.files import write_arrow
from mlspec.plan.desired import DesiredForecast
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.stored import read_stored_spec
from mlspec.state import step as state_step
from mlspec.state.observed import StoredStep
from mlspec.state.record import FileRef
from mlspec.state.step import StepName, StepRequest, StepResult
from tests.engine.steps import Spec, engine, spec
from tests.examples import project, sales

# The closed shop lacks a few days, which the built-in contract would refuse.
LENIENT = {"completeness": {"min": 0.9}, "freshness": None, "range": {}, "series": None}

# Another value for each part of a spec. A step whose key is the same with and without one must make the same files.
OTHERS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("metadata", {"owner": "o@example.com", "labels": {"a": "b"}, "description": "d"}),
    ("dataset", {"checks": {**LENIENT, "completeness": {"min": 0.5}}}),
    ("dataset", {"source": {"uri": "elsewhere.csv", "query": None}}),
    ("dataset", {"actuals": {"available_after": "3d", "min_coverage": 0.5}}),
    ("model", {"gate": []}),
    ("model", {"seed": 7}),
    ("model", {"quantiles": [0.25, 0.75]}),
    ("model", {"horizon": 4}),
    ("model", {"backtest": {"windows": 3, "step": 1, "metric": "mase"}}),
    ("schedule", {"forecast": "0 6 * * *"}),
    ("deployment", {"serve": "online"}),
    ("inventory", {"service_level": 0.99}),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a shop that closed three days before the newest: a horizon of four still forecasts it."""
    made = project(tmp_path_factory.mktemp("real") / "project")
    data = made / "data" / "sales.csv"
    data.write_text(data.read_text() + sales(39, ("closed",)).split("\n", 1)[1])
    return made


def real(root: Path, folder: str) -> Engine:
    """An engine on the real steps, with a folder of its own."""
    made = engine(root)
    target = type(made.target)(root / folder)  # type: ignore[call-arg]
    return replace(made, target=target, steps=jobs.run)


def lenient() -> Spec:
    return spec(dataset={"checks": LENIENT})


def stored(root: Path, folder: str) -> set[str]:
    return {path.name for path in (root / folder / "artifacts").rglob("*") if path.is_file()}


def test_the_same_input_gives_the_same_version_and_the_same_bytes(root: Path) -> None:
    (first,) = apply_specs(real(root, "one"), [lenient()])
    (second,) = apply_specs(real(root, "two"), [lenient()])
    assert first.error is None
    assert first.version is not None
    assert first.version == second.version
    assert stored(root, "one") == stored(root, "two")


class Killed(BaseException):
    """The process ends here: nothing that comes after it is done."""


def kill_at(point: int, patch: pytest.MonkeyPatch) -> None:
    """Let the process end at the write of this one of a panel's files."""
    written = itertools.count()

    def write(table: Any, path: Path) -> Path:
        if next(written) == point:
            raise Killed
        return write_arrow(table, path)

    patch.setattr(panel_parts, "write_arrow", write)


def test_a_check_that_is_killed_between_two_parts_leaves_none_and_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "project")
    (root / "data" / "sales.csv").write_text(sales(39, ("north", "south", "east", "west")))
    monkeypatch.setattr(series_parts, "PART_ROWS", 50)
    facts = real(root, "unkilled").target.inspect_source(lenient().forecast, root)
    desired = DesiredForecast("demand", lenient().forecast, "h", facts, "0")

    def check(folder: str) -> StoredStep:
        return run_step(real(root, folder), desired, "check", {}, {"now": "2024-03-01T00:00:00Z"})

    expected = check("unkilled").outputs
    files = state_step.panel_parts(expected)
    assert len(state_step.panel_series_parts(expected)) > 1
    for point in (0, len(files) // 2, len(files) - 1):
        with monkeypatch.context() as patch:
            kill_at(point, patch)
            with pytest.raises(Killed):
                check(f"killed-{point}")
        assert not stored(root, f"killed-{point}")
        assert check(f"killed-{point}").outputs == expected


def run(step: StepName, spec_: Forecast, root: Path, inputs: Mapping[str, Path], out: Path) -> StepResult:
    options: dict[StepName, dict[str, Any]] = {
        "check": {"now": "2024-03-01T00:00:00Z"}, "backtest": {"incumbent": None}, "forecast": {"version": "v1"},
        "train": {"candidate": {"kind": "seasonal-naive", "name": None, "season": 7}}, "inventory": {},
    }  # fmt: skip
    out.mkdir()
    return jobs.run(StepRequest(step, resolved_json(spec_), root, out, inputs, options[step]), lambda *_: None)


def digests(result: StepResult) -> dict[str, str]:
    return {role: hashlib.sha256(path.read_bytes()).hexdigest() for role, path in result.outputs.items()}


def test_what_a_steps_key_leaves_out_does_not_change_what_the_step_makes(root: Path, tmp_path: Path) -> None:
    base, files = lenient().forecast, dict[str, Path]()
    made_with = real(root, "keys")
    facts = made_with.target.inspect_source(base, root)

    def key(step: StepName, spec_: Forecast) -> str:
        return _step_key(made_with, DesiredForecast("demand", spec_, "h", facts, "0"), step, _refs(files), {})

    for step in ("check", "backtest", "train", "forecast", "inventory"):
        other, left_out = base, 0
        for part, words in OTHERS:
            document = resolved_json(other)
            changed = read_stored_spec({**document, part: {**document[part], **words}})
            if key(step, changed) == key(step, base):
                other, left_out = changed, left_out + 1
        assert left_out >= 6
        same = run(step, base, root, files, tmp_path / step)
        differently = run(step, other, root, files, tmp_path / f"{step}-other")
        assert digests(same) == digests(differently)
        assert same.facts == differently.facts
        files |= same.outputs


def _refs(files: Mapping[str, Path]) -> dict[str, FileRef]:
    return {role: FileRef(role, 0, role) for role in files}
