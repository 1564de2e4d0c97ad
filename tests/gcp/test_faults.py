"""Whatever goes wrong on the way to Google, the end is the same: one version, one deployment, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples import sales
from tests.gcp import platform
from tests.gcp.acme import Acme
from tests.gcp.standin.harness import ROOT
from tests.notify.receiver import receiving
from tests.notify.strict import judge_slack, strictly_receiving
from tests.notify.test_chat import SLACK
from tests.waiting import skip_pauses

ONCE = ("reconcile", "--once")
FEWEST_KILLS = 3
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the canary: the key of a webhook


def outcome(acme: Acme, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Where it ended, names and all, times left out."""
    history = acme.asked(capsys, "history", "demand")
    return {
        "versions": [(each["version"], each["state"]) for each in history["versions"]],
        "releases": [(each["release"], each["version"]) for each in history["releases"]],
        "registered": sorted(tuple(sorted(each.version_aliases)) for each in acme.versions()),
        "traffic": acme.traffic(),
        "deployed": sorted(each.display_name for each in acme.endpoint().deployed_models),
        "forecast": acme.asked(capsys, "forecast", "demand")["rows"],
    }


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return skip_pauses(monkeypatch)


@pytest.mark.parametrize("fault", [
    {"code": 503}, {"code": 429, "retry_after": 3}, {"lost": True},
], ids=["unavailable", "too many", "lost answer"])  # fmt: skip
def test_every_call_may_go_wrong_once(
    acme: Acme, capsys: pytest.CaptureFixture[str], slept: list[float], fault: dict[str, Any]
) -> None:
    acme.online()
    for method in (r"storage\.objects\.insert", r"storage\.objects\.list", r"storage\.objects\.get", r"storage\.objects\.copy",
                   r"bigquery\.jobs\.insert", "UploadModel", "GetModel", "MergeVersionAliases", "DeployModel", "UpdateEndpoint",
                   "GetEndpoint"):  # fmt: skip
        acme.standin.fault(method, count=2, skip=1, **fault)
    assert acme.run(*ONCE) == 0
    assert slept
    found = outcome(acme, capsys)
    (version,) = [name for name, _ in found["versions"]]
    assert found["registered"] == [("default", version)]
    assert found["releases"] == [(1, version)]
    assert found["traffic"] == {version: 100}
    assert found["deployed"] == [version]
    before = acme.changed()
    assert acme.run(*ONCE) == 0
    assert acme.changed() == before


def killed_at(acme: Acme, point: int) -> subprocess.CompletedProcess[str]:
    """A pass in a process of its own that is killed before its n-th call; 0 lets it live, and says how many it makes."""
    argv = [sys.executable, "-m", "tests.gcp.processes.killed_at_call", str(point)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=acme.root, env=environment, capture_output=True, text=True, check=False)


def test_a_pass_that_is_killed_at_a_call_is_made_good_by_the_next(
    acme: Acme, capsys: pytest.CaptureFixture[str]
) -> None:
    """Some calls of one life, each followed by the next attempt: all that was left behind has to be dealt with."""
    acme.online()
    kills = 0
    for point in range(5, 120, 17):
        done = killed_at(acme, point)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        kills += 1
    assert kills >= FEWEST_KILLS
    done = killed_at(acme, 0)
    assert done.returncode == 0, done.stderr
    found = outcome(acme, capsys)
    (version,) = [name for name, _ in found["versions"]]
    assert found["registered"] == [("default", version)]
    assert found["releases"] == [(1, version)]
    assert found["traffic"] == {version: 100}
    before = acme.changed()
    assert killed_at(acme, 0).returncode == 0
    assert acme.changed() == before


def test_a_planted_secret_reaches_its_receiver_and_is_found_nowhere_else(
    acme: Acme, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLSPEC_LOG_LEVEL", "debug")  # with all that Google's clients and urllib3 have to say
    with receiving() as receiver, strictly_receiving(judge_slack, 200) as slack:
        plant(acme, "demand-oncall-url", f"{receiver.url}#{KEY}")
        plant(acme, "demand-slack", slack.url(SLACK))
        acme.say(
            alerts="[{name: accuracy, metric: wape, above: 0.0001, severity: critical}]",
            notify="[{webhook: {secret: demand-oncall-url}, severity: critical}, {slack: {secret: demand-slack}}]",
        )
        acme.run(*ONCE)
        acme.data(sales(days=44))
        acme.run(*ONCE)
    assert receiver.got
    assert slack.accepted
    assert slack.refused == []
    said = "".join(capfd.readouterr())
    assert "accuracy" in said
    assert "urllib3.connectionpool" in said
    assert "read the secret 'demand-oncall-url': done after" in said
    canaries = (KEY, receiver.url, "cafe-secret-path", slack.url(SLACK), "cafeSecretPath")
    assert not any(canary in said for canary in canaries)
    stored = platform.storage(acme.project)
    kept = [
        blob.download_as_bytes()
        for role in platform.ROLES
        for blob in stored.list_blobs(platform.bucket(acme.project, role))
    ]
    kept += [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(canary.encode() in content for canary in canaries for content in kept)


def plant(acme: Acme, name: str, value: str) -> None:
    """Put a secret into Secret Manager."""
    from google.cloud import secretmanager_v1

    client, parent = secretmanager_v1.SecretManagerServiceClient(), f"projects/{acme.project}"
    client.create_secret(parent=parent, secret_id=name, secret={"replication": {"automatic": {}}})
    client.add_secret_version(parent=f"{parent}/secrets/{name}", payload={"data": value.encode()})
