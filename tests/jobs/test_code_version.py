"""Notices when the code shapes models in another way, so that CODE_VERSION has to be raised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from mlspec.forecast.code_version import CODE_VERSION
from mlspec.spec.candidates import GradientBoosting
from mlspec.spec.error_messages import parts_in, tag_of
from mlspec.spec.forecast import Model
from tests.jobs.code_version import CASES, STORED, differences, numbers

FOUND = json.loads(STORED.read_text())


@pytest.mark.parametrize("case", CASES)
def test_the_same_code_makes_the_same_numbers(case: str, tmp_path: Path) -> None:
    moved = differences(FOUND["numbers"][case], numbers(case, tmp_path))
    assert not moved, "\n".join(
        [
            "mlspec makes other numbers of the same data. If that is meant, raise CODE_VERSION (forecast/code_version.py) and",
            "run `python -m tests.jobs.code_version`: every forecast of every user is then trained again (docs/decisions/0018).",
            "If nothing of mlspec changed, a library did: `python -m tests.jobs.code_version --libraries`.",
            *moved,
        ]
    )


def test_the_numbers_are_those_of_this_code_version() -> None:
    assert FOUND["code_version"] == CODE_VERSION, "run `python -m tests.jobs.code_version`"


def test_every_kind_of_candidate_is_watched() -> None:
    kinds = {tag_of(part) for part in parts_in(Model.model_fields["candidates"].annotation)}
    assert kinds == {candidate["kind"] for candidate in CASES.values() if candidate}
    libraries = get_args(GradientBoosting.model_fields["library"].annotation)
    boosted = [candidate for candidate in CASES.values() if candidate.get("kind") == "gradient-boosting"]
    assert {candidate.get("library", "scikit-learn") for candidate in boosted} == set(libraries)


def test_a_number_that_moves_is_told_and_one_that_a_machine_rounds_is_not() -> None:
    assert differences({"wape": 0.2, "mean": 111.0}, {"wape": 0.2000001, "mean": 111.0001}) == []
    assert differences({"wape": 0.2}, {"wape": 0.21}) == ["wape: 0.2 -> 0.21"]
    assert differences({"bias": None}, {"bias": 0.0}) == ["bias: None -> 0.0"]
    assert differences({"bias": 0.1}, {}) == ["bias: 0.1 -> None"]


def test_a_new_metric_trains_nothing_again() -> None:
    assert differences({"wape": 0.2}, {"wape": 0.2, "smape": 0.1}) == []
