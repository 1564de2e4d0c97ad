"""The worked examples of docs/own-model.md: a pipeline of scikit-learn in a file of the project, a package with a pretrained model.

chronos-forecasting needs PyTorch, which is not among what tests install: `packages/standin` has the calls of its interface that the
wrapper uses. Where the library is installed, the wrapper runs on it unchanged.
"""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path
from typing import Any

import pytest

from mlspec.errors import BrokenModel, SpecError
from mlspec.forecast import trees
from mlspec.jobs.files import read_table
from mlspec.models.code import GROUP, find_model_code
from tests.examples import sales
from tests.jobs.pipeline import Pipeline
from tests.models.installed import PACKAGES, install_package, write_dist_info
from tests.models.projects import NAIVE

ROOT = Path(__file__).resolve().parents[2]


def run_of(root: Path, candidate: dict[str, Any]) -> Pipeline:
    windows = {"windows": 2, "step": 2}
    run = Pipeline(root, model={"candidates": [NAIVE, candidate], "gate": [], "backtest": windows}, inventory=None)
    run.data(sales(120))
    assert run.run("check", now="2024-05-01T00:00:00Z")["ok"], run.facts
    return run


def test_a_pipeline_of_scikit_learn_in_a_file_of_the_project(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models", tmp_path / "models")
    run = run_of(
        tmp_path, {"kind": "custom", "name": "ridge", "class": "models.ridge:RidgePipeline", "params": {"weeks": 3}}
    )
    facts = run.run("backtest", incumbent=None)
    assert facts["notes"] == []
    assert facts["champion"] == "ridge"
    run.run("train", candidate=facts["champion_candidate"])
    run.run("forecast", version="v1")
    assert len(read_table(run.files["forecast"])) == 4
    member = trees.unpack_archive(trees.unpack_archive(run.files["model"].read_bytes())["member-0"])
    assert sorted(member) == ["about.json", "code/models/ridge.py", "state/about.json", "state/pipeline.skops"]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages, with the wrapper as pip would put it there, and the stand-ins."""
    folder = tmp_path / "site"
    shutil.copytree(PACKAGES / "standin", folder)
    install_package(folder, "tiny_chronos")
    monkeypatch.syspath_prepend(str(folder))
    return folder


def chronos(weights: Path) -> dict[str, Any]:
    return {"kind": "custom", "name": "chronos", "class": "tiny-chronos", "params": {"weights": str(weights)}}


def test_a_package_with_a_pretrained_model_whose_weights_are_kept_in_the_version(site: Path, tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    runpy.run_path(str(PACKAGES / "standin" / "chronos.py"))["make_tiny"](weights)
    run = _only(run_of(tmp_path, chronos(weights)), chronos(weights))
    facts = run.run("backtest", incumbent=None)
    assert (facts["champion"], facts["notes"]) == ("chronos", [])
    found = find_model_code(tmp_path, "tiny-chronos")
    assert (found.package, found.import_name) == ("tiny-chronos 1.0", "tiny_chronos:TinyChronos")
    run.run("train", candidate=facts["champion_candidate"])
    run.run("forecast", version="v1")
    expected = run.files["forecast"].read_bytes()
    shutil.rmtree(weights)
    run.run("forecast", version="v1")
    assert run.files["forecast"].read_bytes() == expected
    forecast = read_table(run.files["forecast"])
    assert (forecast["q0.1"] < forecast["q0.9"]).all()


def test_another_version_of_the_package_is_another_digest(site: Path, tmp_path: Path) -> None:
    before = find_model_code(tmp_path, "tiny-chronos").digest
    shutil.rmtree(site / "tiny_chronos-1.0.dist-info")
    write_dist_info(site, "tiny-chronos", "1.1", {GROUP: {"tiny-chronos": "tiny_chronos:TinyChronos"}})
    assert find_model_code(tmp_path, "tiny-chronos").digest != before


def test_an_entry_point_that_two_packages_have_is_refused(site: Path, tmp_path: Path) -> None:
    write_dist_info(site, "other-chronos", "3.0", {GROUP: {"tiny-chronos": "elsewhere:Model"}})
    with pytest.raises(
        SpecError, match="several packages have an entry point 'tiny-chronos': other-chronos, tiny-chronos"
    ):
        find_model_code(tmp_path, "tiny-chronos")


def test_what_a_package_raises_is_told_by_its_file_and_line(site: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path, chronos(tmp_path / "nowhere"))
    with pytest.raises(BrokenModel, match=r"candidate 'chronos': tiny_chronos\.py:\d+: OSError: .*/nowhere does not"):
        _only(run, chronos(tmp_path / "nowhere")).run("backtest", incumbent=None)


def _only(run: Pipeline, candidate: dict[str, Any]) -> Pipeline:
    run.spec["model"] = {**run.spec["model"], "candidates": [candidate]}
    return run
