"""How often a run looks at what is held, and reads files for their sha256: what is settled is returned, and not asked for again."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlspec.engine.apply import apply_specs
from mlspec.engine.context import Engine
from mlspec.engine.loop import reconcile_specs
from mlspec.state.observed import Observed
from mlspec.targets.local import digest_cache
from mlspec.targets.local.target import LocalTarget
from mlspec.targets.local.text_digest import text_digests
from tests.engine.steps import engine, spec
from tests.engine.world import World, with_two_versions
from tests.stores import Home, url_of


class CountingTarget:
    """A target that counts how often each forecast is observed."""

    def __init__(self, target: LocalTarget) -> None:
        self._target = target
        self.observations = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def observe_forecast(self, forecast: str) -> Observed:
        self.observations += 1
        return self._target.observe_forecast(forecast)


@pytest.fixture
def root(tmp_path: Path, home: Home) -> Path:
    return home.project(tmp_path / "project")


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was read for its sha256, by path."""
    counts: Counter[str] = Counter()
    compute = hashlib.file_digest

    def counting(file: Any, name: Any) -> Any:
        counts[str(file.name)] += 1
        return compute(file, name)

    def counting_text(file: Any) -> tuple[str, str]:
        counts[str(file.name)] += 1
        return text_digests(file)

    monkeypatch.setattr(hashlib, "file_digest", counting)
    monkeypatch.setattr(digest_cache, "text_digests", counting_text)
    return counts


def counted(engine: Engine) -> tuple[Engine, CountingTarget]:
    target = CountingTarget(engine.target)  # type: ignore[arg-type]
    return replace(engine, target=target), target


def files_looked_at(root: Path) -> set[Path]:
    """The stored files that a look reads: those of each resource in a folder; of a database their sizes alone."""
    if url_of(root):
        return set()
    resources = engine(root).target.observe_forecast("demand").resources.values()
    shas = {ref.sha256 for seen in resources for ref in seen.files.values()}
    return {root / ".mlspec/artifacts/sha256" / sha[:2] / sha for sha in shas}


def test_the_first_apply_observes_twice_and_reads_each_file_once(root: Path, reads: Counter[str]) -> None:
    run, target = counted(engine(root))
    (outcome,) = apply_specs(run, [spec()])
    assert outcome.status == "applied"
    assert target.observations == 2  # before the lock, and under it
    assert set(reads.values()) == {1}
    source = root / "data/sales.csv"
    assert source in map(Path, reads)
    assert not any(path.startswith(str(root / ".mlspec")) for path in reads)  # each was read where its step left it


def test_an_apply_of_another_spec_observes_twice_and_reads_each_file_once(root: Path, reads: Counter[str]) -> None:
    apply_specs(engine(root), [spec()])
    reads.clear()
    run, target = counted(engine(root))
    (outcome,) = apply_specs(run, [spec(model={"horizon": 3})])
    assert outcome.status == "applied"
    assert target.observations == 2
    assert set(reads.values()) == {1}


def test_each_apply_with_nothing_to_do_observes_once_and_reads_every_file_anew(root: Path, reads: Counter[str]) -> None:
    apply_specs(engine(root), [spec()])
    run, target = counted(engine(root))
    for observations in (1, 2):  # nothing is trusted from one run to the next, by the same target either
        reads.clear()
        (outcome,) = apply_specs(run, [spec()])
        assert outcome.status == "nothing"
        assert target.observations == observations
        looked_at = dict(reads)
        assert looked_at == {str(path): 1 for path in (root / "data/sales.csv", *files_looked_at(root))}


def test_a_pass_that_makes_a_forecast_observes_twice_and_reads_each_file_once(
    tmp_path: Path, home: Home, reads: Counter[str]
) -> None:
    world = World(tmp_path, home)
    world.look()
    world.new_data()
    reads.clear()
    run, target = counted(world.engine())
    (result,) = reconcile_specs(run, [world.spec])
    assert [action.split()[0] for action in result.actions] == ["data.demand", "forecast.demand"]
    assert target.observations == 2
    assert set(reads.values()) == {1}


def test_a_pass_that_rolls_back_observes_twice_and_reads_each_file_once(tmp_path: Path, reads: Counter[str]) -> None:
    world = World(tmp_path)
    first, second = with_two_versions(world)
    world.bad(second)
    reads.clear()
    run, target = counted(world.engine())
    reconcile_specs(run, [world.spec])
    assert target.observations == 2
    assert set(reads.values()) == {1}
    assert world.serves == first
