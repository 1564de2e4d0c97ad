"""What a machine has: each miss is told with what mends it, and what cannot be told is not called a miss."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.version import Version

from mlspec import installation
from mlspec.installation import DISTRIBUTION
from mlspec.targets import machine

ROOT = Path(__file__).resolve().parents[2]


def program(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "status"),
    [
        ('echo \'{"terraform_version": "1.11.0"}\'', "ok"),
        ('echo \'{"terraform_version": "1.14.0-rc1"}\'', "ok"),
        ('echo \'{"terraform_version": "1.10.5"}\'', "missing"),
        ("echo nonsense", "unknown"),
        ("exit 1", "unknown"),
    ],
)
def test_terraform_is_judged_by_its_version(
    says: str, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "terraform", says)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert machine.check_terraform().status == status


def test_no_terraform_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = machine.check_terraform()
    assert (found.status, "developer.hashicorp.com/terraform/install" in found.mend) == ("missing", True)


def test_the_floors_are_those_of_the_project() -> None:
    texts = [(ROOT / f"templates/terraform/{kind}/versions.tf.j2").read_text() for kind in ("forecast", "project")]
    texts.append((ROOT / "infra" / "providers.tf").read_text())
    found = [re.findall(r'required_version = ">= ([0-9]+\.[0-9]+)\.0"', text) for text in texts]
    assert max(Version(version) for (version,) in found) == machine.TERRAFORM
    wanted = re.search(r'requires-python = ">=([0-9.]+)"', (ROOT / "pyproject.toml").read_text())
    assert wanted is not None
    assert tuple(map(int, wanted[1].split("."))) == machine.PYTHON


def test_a_part_of_mlspec_is_there_with_all_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    requires = [
        "click>=99",
        "mlspec-forecast[forecast]; extra == 'serve'",
        "pandas>=2.2; extra == 'forecast'",
        "tzdata>=99; sys_platform == 'win32' and extra == 'serve'",
        "uvicorn>=0.34; extra == 'serve'",
    ]
    there = {"pandas": "2.2.0", "uvicorn": "0.40rc1"}

    def version(name: str) -> str:
        if name not in there:
            raise metadata.PackageNotFoundError(name)
        return there[name]

    monkeypatch.setattr(metadata, "requires", lambda _name: requires)
    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(installation, "read_origin", lambda: installation.Published("==1.2.3"))
    assert machine.check_extra("serve").status == "ok"
    there["pandas"] = "2.1.9"
    found = machine.check_extra("serve")
    assert (found.status, found.mend) == ("missing", "pip install 'mlspec-forecast[serve]==1.2.3'")
    assert "pandas" in found.said
    del there["uvicorn"]
    assert "pandas, uvicorn" in machine.check_extra("serve").said


@pytest.mark.parametrize("name", ["forecast", "gcp", "lightgbm", "notify", "postgres", "serve"])
def test_every_part_s_requirements_are_read(name: str) -> None:
    assert any(f"extra == '{name}'" in line.replace('"', "'") for line in metadata.requires(DISTRIBUTION) or ())
    assert machine.check_extra(name).status == "ok"


def test_a_folder_that_is_not_there_yet_is_judged_by_the_one_above_it(tmp_path: Path) -> None:
    assert machine.check_folder(tmp_path / "a" / "b").status == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert machine.check_folder(tmp_path / "file").status == "missing"


def test_a_full_disk_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.check_disk(tmp_path / "new").status == "ok"
    monkeypatch.setattr(machine, "ROOM", 2**80)
    assert machine.check_disk(tmp_path).status == "missing"
