"""A wheel built from a used checkout works elsewhere, and carries what travels and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("wheel")  # built once

ROOT = Path(__file__).resolve().parent.parent
TRAVELS = ("mlspec", "templates", "infra", "data", "specs", "pyproject.toml", "README.md", ".gitignore", "mlspec.yaml")


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
