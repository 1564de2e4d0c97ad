"""Fixtures for every test against the stand-in for Google Cloud's servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gcp import platform_grants
from tests.gcp.acme import IMAGE, Acme
from tests.gcp.clinic import Clinic
from tests.gcp.platform import REGION
from tests.gcp.standin.harness import Running
from tests.terraform.harness import ProviderProcess, environment
from tests.terraform.provider.cloud import Cloud
from tests.tools import needs


@pytest.fixture(scope="session")
def standin_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process of the stand-in for each worker."""
    found = Running(tmp_path_factory.mktemp("standin"))
    yield found
    found.stop()


@pytest.fixture
def standin(standin_process: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """The test's own cloud, empty; this process and those that it starts reach it. A test that asked for another host fails."""
    standin_process.reset()
    for key, value in standin_process.environment.items():
        monkeypatch.setenv(key, value)
    yield standin_process
    assert standin_process.strangers() == [], "somebody tried to reach what is not Google's"
    assert standin_process.ignored() == [], "somebody set what only Google sets"


@pytest.fixture
def acme(standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Acme:
    """The project, with the user standing in it. The loop goes on with what it started, as in its job on Google Cloud."""
    found = Acme(standin, tmp_path)
    monkeypatch.chdir(found.root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MLSPEC_IMAGE", IMAGE)
    monkeypatch.setenv("MLSPEC_FOLLOW", "10m")
    return found


@pytest.fixture(scope="session")
def joined_process(
    standin_process: Running, schema_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ProviderProcess]:
    """Terraform's stand-in, joined to Google's: one process for each worker."""
    needs("terraform")
    log = tmp_path_factory.mktemp("joined") / "stderr.txt"
    words = ("--cloud", "tests.gcp.joined:Joined")
    process = ProviderProcess(schema_cache, log, *words, env=standin_process.for_terraform)
    yield process
    process.stop()


@pytest.fixture
def terraform_too(
    standin: Running, joined_process: ProviderProcess, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Cloud:
    """Terraform's side of the test's cloud; `terraform` finds it, and keeps its states in the cloud's own bucket."""
    home = tmp_path / "home"
    home.mkdir()
    found = environment(joined_process.open(cloud.folder), home, needs("terraform"))
    for key, value in found.items():
        monkeypatch.setenv(key, value)
    platform_grants.apply(standin, standin.project, REGION)
    monkeypatch.setenv("TF_VAR_image", IMAGE)
    monkeypatch.setenv("MLSPEC_IMAGE", IMAGE)
    return cloud


@pytest.fixture
def clinic(
    standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Clinic:
    """The empty project, with the user standing in it, who has terraform."""
    found = Clinic(standin, tmp_path, capsys)
    monkeypatch.chdir(found.root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MLSPEC_IMAGE", raising=False)
    monkeypatch.delenv("TF_VAR_image", raising=False)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "terraform"
    program.write_text('#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    return found
