"""A machine without the memory for a step says what helps."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec import jobs
from mlspec.errors import TargetError
from mlspec.state.step import StepName, StepRequest, StepResult
from tests.examples import spec_json


@pytest.mark.parametrize(("step", "hint"), [("backtest", "fewer candidates"), ("check", "a machine with more")])
def test_a_step_without_the_memory_says_what_helps(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: StepName, hint: str
) -> None:
    def full(*_: object) -> StepResult:
        raise MemoryError

    monkeypatch.setattr(f"mlspec.jobs.{step}.run", full)
    with pytest.raises(TargetError, match=f"there is not enough memory for {step}") as caught:
        jobs.run(StepRequest(step, spec_json(), tmp_path, tmp_path, {}, {}), lambda *_: None)
    assert hint in str(caught.value.hint)
