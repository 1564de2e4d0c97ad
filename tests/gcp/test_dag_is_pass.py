"""On Google Cloud too, one history played by the loop, by a DAG's steps, and by both ends alike, at the endpoint as well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.test_dag_is_pass import BAD_VERSION, KEPT_OUT, MAKERS, REFUSED, Story, perform
from tests.engine.world import CANARY
from tests.gcp import platform
from tests.gcp.standin.harness import Running
from tests.gcp.test_reconcile_machine import ONLINE, Cloud

pytestmark = pytest.mark.no_cover  # the local target goes each way, and another test each call
BY_CANARY = [
    ("run", 0), ("evidence", 0.1, 0), ("run", 24),
    ("commit", {"model": {"seed": 1}, "deployment": {**CANARY, "serve": "both"}}), ("run", 1), ("evidence", 0.1, 0), ("run", 24),
    ("data", "good"), ("run", 24),
]  # fmt: skip


@pytest.fixture
def stories(standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Story]:
    """A project for each way to play a history."""
    monkeypatch.setenv("MLSPEC_IMAGE", "step")
    monkeypatch.setattr("mlspec.targets.gcp.data.bigquery.Warehouse.publish_forecast", lambda *_words: None)
    monkeypatch.setattr("mlspec.targets.gcp.monitoring.write_metrics", lambda *_words: None)
    made = {}
    for name, makers in MAKERS.items():
        project = f"acme-{name}"
        platform.buckets(project)
        platform.shell(project, "demand")
        made[name] = Story(Cloud(tmp_path / name, project, deployment=ONLINE), makers)
        made[name].parts["deployment"] = ONLINE
    return made


@pytest.mark.parametrize(
    "history", [BAD_VERSION, KEPT_OUT, REFUSED, BY_CANARY], ids=["bad", "kept-out", "refused", "canary"]
)
def test_the_loop_the_steps_and_both_in_turn_end_alike(
    stories: dict[str, Story], history: list[tuple[Any, ...]]
) -> None:
    for action in history:
        for story in stories.values():
            perform(story, action)
    records = {name: story.record() for name, story in stories.items()}
    assert records["dag"] == records["loop"]
    assert records["both"] == records["loop"]
    splits = {name: story.world.at_the_endpoint for name, story in stories.items()}  # type: ignore[attr-defined]
    assert splits["dag"] == splits["both"] == splits["loop"]
