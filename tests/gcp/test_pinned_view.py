"""What a container of an endpoint answers with: its own version alone, whatever the record says."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from mlspec import jobs
from mlspec.errors import Refused, StateError, UsageError
from mlspec.spec.gcp.location import GcpLocation
from mlspec.targets.base import ServedRecord
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.pinned_view import PinnedView, open_pinned_view
from mlspec.targets.gcp.serving_view import ServingView
from mlspec.targets.gcp.vertex.artifact import read_artifact
from mlspec.web.answer import PredictionHandler
from mlspec.web.prediction_cache import CachedForecast, PredictionCache
from tests.examples import sales
from tests.gcp import platform
from tests.gcp.acme import Acme, serve_online, serve_privately
from tests.gcp.platform import REGION
from tests.gcp.standin.services.vertex_artifacts import storage_uri

ONCE = ("reconcile", "--once", "--yes")
HALVES = "{strategy: canary, steps: [50, 100], interval: 1h}"
CROSTON = "{horizon: 2, candidates: [{kind: croston}], backtest: {windows: 2, step: 2}, gate: []}"
NOTHING = cast("ServingView", None)  # a container that can read no record


def files_of(acme: Acme, version: str) -> str:
    """Where Vertex AI copied the files of what is registered last of a version: AIP_STORAGE_URI."""
    found = [each for each in acme.versions() if each.labels["mlspec-version"] == version]
    return storage_uri(max(found, key=lambda each: int(each.version_id)))


def deployment(acme: Acme, version: str, folder: Path) -> PinnedView:
    """What the container of a version serves, as it is started."""
    record = ServingView(GcpLocation("dev", acme.project, REGION), folder / "cache", ["demand"])
    return open_pinned_view(Clients(acme.project, REGION), files_of(acme, version), folder, record, version=version)


def answers(view: ServedRecord) -> dict[str, tuple[str, float]]:
    """Each shop's version and first mean, as a server of this view answers."""
    cache = PredictionCache(view, ("demand",), jobs.predict, pytest.fail)
    cache.refresh()
    cached = cache.find_forecast("demand")
    assert isinstance(cached, CachedForecast), cached
    counts = cast("Any", SimpleNamespace(record_request=lambda *_, **__: None))
    body = json.dumps({"instances": [{"shop": shop} for shop in ("001", "NA")]}).encode()
    answer = PredictionHandler(counts, lambda: 0.0, pytest.fail)("demand", cached, body)
    assert answer.code == 200, answer.body
    return {
        each["shop"]: (each["version"], each["forecast"][0]["mean"]) for each in json.loads(answer.body)["predictions"]
    }


def test_two_deployments_answer_differently_each_with_its_own_version_whatever_the_record_says(
    acme: Acme, tmp_path: Path
) -> None:
    acme.online(rollout=HALVES)
    assert acme.run(*ONCE) == 0
    (first,) = acme.traffic()
    acme.say(model=CROSTON)
    assert acme.run(*ONCE) == 0
    (second,) = acme.traffic().keys() - {first}
    assert acme.traffic() == {first: 50, second: 50}
    old, new = deployment(acme, first, tmp_path / "old"), deployment(acme, second, tmp_path / "new")
    before = answers(new)
    assert {version for version, _ in before.values()} == {second}
    assert {version for version, _ in answers(old).values()} == {first}
    assert {mean for _, mean in before.values()} != {mean for _, mean in answers(old).values()}
    assert acme.run("rollback", "demand", "--reason", "an exercise") == 0
    assert acme.traffic() == {first: 100}
    assert answers(new) == before
    acme.data(sales(days=43))
    assert acme.run(*ONCE) == 0
    assert {version for version, _ in answers(new).values()} == {second}
    assert answers(new) != before, "newer data is followed"


def test_a_container_is_started_with_its_version_and_refuses_another_s_files(acme: Acme, tmp_path: Path) -> None:
    acme.prepare(serve_online)
    (version,) = acme.traffic()
    (model,) = acme.versions()
    assert list(model.container_spec.args) == ["serve", "demand", "--target", "dev", "--version", version]
    clients, record = Clients(acme.project, REGION), deployment(acme, version, tmp_path)._record
    with pytest.raises(Refused, match=f"those of demand {version}, not of v0"):
        open_pinned_view(clients, storage_uri(model), tmp_path, record, version="v0")
    with pytest.raises(UsageError, match="AIP_STORAGE_URI is not set"):
        open_pinned_view(clients, "", tmp_path, record, version=version)
    bucket, _, folder = storage_uri(model).removeprefix("gs://").partition("/")
    blobs = {each.name: each for each in platform.storage(acme.project).list_blobs(bucket, prefix=f"{folder}/model")}
    next(iter(blobs.values())).upload_from_string(b"another model")
    with pytest.raises(StateError, match="was changed"):
        read_artifact(clients, storage_uri(model), tmp_path)


def test_a_private_endpoint_s_container_needs_its_own_files_alone_and_new_data_is_a_new_deployment(
    acme: Acme, tmp_path: Path
) -> None:
    acme.prepare(serve_privately)
    (version,) = acme.traffic()
    clients = Clients(acme.project, REGION)
    before = answers(PinnedView(*read_artifact(clients, files_of(acme, version), tmp_path / "a"), NOTHING))
    (old,) = acme.endpoint().deployed_models
    acme.data(sales(days=43))
    assert acme.run(*ONCE) == 0
    (new,) = acme.endpoint().deployed_models
    assert acme.traffic() == {version: 100}
    assert new.id != old.id
    after = answers(PinnedView(*read_artifact(clients, files_of(acme, version), tmp_path / "b"), NOTHING))
    assert {name for name, _ in after.values()} == {version}
    assert after != before
    calls = acme.changed()
    assert acme.run(*ONCE) == 0
    assert acme.changed() == calls
