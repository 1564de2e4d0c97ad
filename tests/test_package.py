"""A wheel built from a used checkout works elsewhere, and carries what travels and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("wheel")  # built once

ROOT = Path(__file__).resolve().parent.parent
TRAVELS = (
    "mlspec",
    "templates",
    "infra",
    "data",
    "specs",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    ".gitignore",
    "mlspec.yaml",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of the checkout in which somebody has worked."""
    used = tmp_path_factory.mktemp("used")
    for name in TRAVELS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, used / name)
    (used / "infra" / "terraform.tfstate").write_text("{}")
    (used / "infra" / ".terraform").mkdir()
    (used / "infra" / ".terraform" / "provider").write_text("binary")
    (used / "data" / ".mlspec").mkdir()
    (used / "data" / ".mlspec" / "state.db").write_text("state")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=used, check=True, capture_output=True
    )
    (built,) = (used / "dist").glob("*.whl")
    return built


def test_the_wheel_carries_every_asset_and_no_litter(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("templates", "infra", "data", "specs"):
        wanted = {
            f"mlspec/_assets/{path.relative_to(ROOT).as_posix()}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and not {".mlspec", ".terraform", "__pycache__"} & set(path.parts)
        }
        assert wanted, f"{folder} is empty"
        assert wanted <= names
    litter = ("tfstate", ".terraform", "state.db", "__pycache__", "tests/", "benchmarks/")
    assert not [name for name in names if any(word in name for word in litter)]


def test_an_installed_wheel_starts_a_project_that_validates(wheel: Path, tmp_path: Path) -> None:
    installed, project = tmp_path / "site", tmp_path / "project"
    zipfile.ZipFile(wheel).extractall(installed)
    project.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(installed), "NO_COLOR": "1"}

    def mlspec(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mlspec", *words], cwd=project, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    made = mlspec("init", ".")
    assert made.returncode == 0, made.stderr
    checked = mlspec("validate", "--data")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_installed_wheel_renders_the_same_bytes_as_this_checkout(wheel: Path, tmp_path: Path) -> None:
    installed, project = tmp_path / "site", tmp_path / "project"
    zipfile.ZipFile(wheel).extractall(installed)
    (project / "specs").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "spec" / "full.yaml", project / "specs" / "demand.yaml")
    shutil.copy(ROOT / "tests" / "spec" / "full-project.yaml", project / "mlspec.yaml")
    rendered = []
    for where in (installed, ROOT):
        out = tmp_path / f"out-{where.name}"
        argv = [sys.executable, "-m", "mlspec", "render", "--target", "prod", "--out", str(out)]
        environment = {**os.environ, "PYTHONPATH": str(where)}
        subprocess.run(argv, cwd=project, env=environment, capture_output=True, check=True)
        rendered.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert rendered[0] == rendered[1]
    assert len(rendered[0]) > 15


def built_version(source: Path, **environment: str) -> str:
    """Return the version of the wheel that is built from a folder."""
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(argv, cwd=source, check=True, capture_output=True, env={**os.environ, **environment})
    (built,) = (source / "dist").glob("*.whl")
    return built.name.split("-")[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A git clone of what a wheel is built from, at the tag v1.2.3."""
    folder = tmp_path / "clone"
    for name in (*TRAVELS, ".gitattributes", ".git_archival.txt"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / name, folder / name)
    (folder / "mlspec" / "_version.py").unlink(missing_ok=True)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "one"], ["tag", "v1.2.3"]):
        git(folder, *words)
    return folder


def git(folder: Path, *words: str) -> bytes:
    argv = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-C", str(folder), *words]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(argv, check=True, capture_output=True, env=environment).stdout


def test_a_version_is_the_tag_s_and_counts_the_commits_since(clone: Path) -> None:
    assert built_version(clone) == "1.2.3"
    assert '__version__ = "1.2.3"' in (clone / "mlspec" / "_version.py").read_text()
    git(clone, "commit", "-q", "--allow-empty", "-m", "two")
    shutil.rmtree(clone / "dist")
    assert built_version(clone).startswith("1.2.4.dev1+g")


def test_an_archive_without_git_says_its_version_too(clone: Path, tmp_path: Path) -> None:
    packed = tmp_path / "source.tar"
    packed.write_bytes(git(clone, "archive", "HEAD"))
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    assert built_version(tmp_path / "source") == "1.2.3"


def test_a_build_without_git_says_no_version_unless_it_is_told(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    assert built_version(clone) == "0.0"
    shutil.rmtree(clone / "dist")
    assert built_version(clone, SETUPTOOLS_SCM_PRETEND_VERSION_FOR_MLSPEC_FORECAST="1.2.3") == "1.2.3"


def test_the_wheel_says_its_licence_and_that_it_is_typed(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    said = archive.read(metadata).decode().splitlines()
    assert {"Name: mlspec-forecast", "License-Expression: Apache-2.0", "License-File: LICENSE"} <= set(said)
    assert {"Classifier: Typing :: Typed", "Classifier: Operating System :: POSIX"} <= set(said)
    assert metadata.replace("METADATA", "licenses/LICENSE") in archive.namelist()
    assert "mlspec/py.typed" in archive.namelist()
    assert not [line for line in said if line.startswith("Requires-Dist:") and "win32" in line]


def test_to_know_the_version_costs_no_import() -> None:
    code = "import sys; before = set(sys.modules); import mlspec; print(*sorted(set(sys.modules) - before))"
    argv = [sys.executable, "-I", "-c", code]
    imported = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()
    assert set(imported) <= {"mlspec", "mlspec._version"}
