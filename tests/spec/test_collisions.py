"""Two specs that would make the same thing are refused, and the later one is told which file was first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from mlspec.spec import collisions as module
from mlspec.spec.collisions import find_collisions
from mlspec.spec.document import Document
from mlspec.spec.faults import Fault


@dataclass
class Spec:
    name: str


def faults_of(*names: str) -> list[Fault]:
    return find_collisions(
        [(Document(Path(f"{i}.yaml"), f"specs/{i}.yaml"), Spec(name)) for i, name in enumerate(names)]
    )


def test_the_second_file_of_a_name_is_told_which_was_first() -> None:
    (fault,) = faults_of("demand", "stock", "demand")
    assert (fault.file, fault.path, fault.code) == ("specs/2.yaml", "metadata.name", "collision")
    assert "'demand' is taken by specs/0.yaml" in fault.message


def test_every_later_file_is_told_of_the_first() -> None:
    assert [fault.file for fault in faults_of("a", "a", "a")] == ["specs/1.yaml", "specs/2.yaml"]


def test_names_that_only_look_alike_do_not_collide() -> None:
    assert faults_of("a-b", "ab", "a-b-c", "a", "a--b") == []


def test_derived_names_that_become_the_same_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "derived_names", lambda name: {"BigQuery dataset": name.replace("-", "")})
    (fault,) = faults_of("a-b", "ab")
    assert "'ab' collides with 'a-b' in specs/0.yaml: both would have the BigQuery dataset 'ab'" in fault.message
