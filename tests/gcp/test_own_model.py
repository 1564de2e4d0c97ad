"""A model of the project's own on Google Cloud: custom jobs and batch prediction jobs make the bytes that a laptop makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.gcp.target import GcpTarget
from tests.examples import sales
from tests.gcp.acme import IMAGE, Acme
from tests.gcp.platform import REGION
from tests.gcp.test_batch_prediction import SHOPS, Far, same
from tests.gcp.test_custom_job import jobs
from tests.jobs.pipeline import Pipeline
from tests.models.projects import GOOD, write_model

MODEL = "{horizon: 2, candidates: [{kind: custom, class: 'models.promo:PromoModel'}], backtest: {windows: 2, step: 2}, gate: []}"
ALL = "{strategy: all-at-once}"


def laptop(folder: Path, text: str) -> Pipeline:
    """The same forecast, made by the pipeline on this machine."""
    folder.mkdir()
    write_model(folder, GOOD)
    candidate = {"kind": "custom", "class": "models.promo:PromoModel"}
    model = {"candidates": [candidate], "backtest": {"windows": 2, "step": 2}, "gate": []}
    run = Pipeline(folder, model=model, inventory=None).data(text)
    assert run.check()["ok"]
    facts = run.run("backtest", incumbent=None)
    run.run("train", candidate=facts["champion_candidate"])
    return run


def test_a_vertex_custom_job_makes_the_model_file_of_a_laptop(
    acme: Acme, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_model(acme.root, GOOD)
    acme.say(training="{machine: n2-highmem-8}", model=MODEL)
    acme.containers_run()
    monkeypatch.setenv("MLSPEC_RUNNER", "cloud-run")
    monkeypatch.setenv("MLSPEC_IMAGE", IMAGE)
    assert acme.run("reconcile", "--once", "--yes") == 0, acme.standin.outputs()
    assert [job.display_name for job in jobs(acme)] == ["mlspec-demand-backtest", "mlspec-demand-train"]
    target = GcpTarget(GcpLocation("dev", acme.project, REGION), tmp_path / "far")
    (version,) = target.load_versions("demand")
    assert version.candidate == "custom"
    here = laptop(tmp_path / "laptop", sales())
    assert target.fetch_file("demand", version.files["model"]).read_bytes() == here.files["model"].read_bytes()


def test_a_batch_prediction_job_makes_the_forecast_of_the_step(acme: Acme, tmp_path: Path) -> None:
    write_model(acme.root, GOOD)
    acme.data(sales(shops=SHOPS))
    acme.containers_run()
    far = Far(acme, tmp_path)
    run = far.serve(ALL, model=MODEL)
    # What answers has the version's files alone: the project's own may be another by now.
    write_model(acme.root, "raise SystemExit('not this one')\n")
    assert same(far.run(far.step()), run)
