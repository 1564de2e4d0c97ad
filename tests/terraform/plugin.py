"""Fixtures for every test that runs Terraform; `tests/conftest.py` names this module.

Nothing is imported here that a test without Terraform would have to wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.terraform.harness import ProviderProcess, Terraform, copy, environment
from tests.terraform.provider.cloud import Cloud
from tests.tools import needs

Start = Callable[[str | Mapping[str, str] | Path], Terraform]


@pytest.fixture(scope="session")
def schema_cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the schema is kept from one run of the tests to the next."""
    cache = getattr(request.config, "cache", None)  # without the plugin of that name there is none to keep it in
    return Path(cache.mkdir("terraform-schema")) if cache else tmp_path_factory.mktemp("schema")


@pytest.fixture(scope="session")
def google_provider(schema_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProviderProcess]:
    """One process of the stand-in for each worker."""
    needs("terraform")
    process = ProviderProcess(schema_cache, tmp_path_factory.mktemp("provider") / "stderr.txt")
    yield process
    process.stop()


@pytest.fixture
def cloud(tmp_path: Path) -> Cloud:
    """The test's own cloud, empty."""
    return Cloud(tmp_path / "cloud")


@pytest.fixture
def terraform_env(google_provider: ProviderProcess, cloud: Cloud, tmp_path: Path) -> dict[str, str]:
    """The environment in which any `terraform`, whoever starts it, meets this test's cloud."""
    home = tmp_path / "home"
    home.mkdir()
    return environment(google_provider.open(cloud.folder), home, needs("terraform"))


@pytest.fixture
def terraform(terraform_env: dict[str, str], tmp_path: Path) -> Start:
    """Terraform, initialised, on a text, on texts by file name, or on a copy of a folder.

    A second call gets a folder of its own and the same cloud.
    """
    program = needs("terraform")
    count = 0

    def start(code: str | Mapping[str, str] | Path) -> Terraform:
        nonlocal count
        count += 1
        folder = tmp_path / f"terraform-{count}"
        folder.mkdir()
        if isinstance(code, Path):
            copy(code, folder)
        else:
            for name, text in ({"main.tf": code} if isinstance(code, str) else code).items():
                (folder / name).write_text(text)
        found = Terraform(folder, terraform_env, program)
        found.init().expect(0)
        return found

    return start
