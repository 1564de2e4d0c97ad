"""A small project that is applied once through the API, from another folder and in a thread, as notebooks do."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import mlspec
from mlspec.api import ApplyReport, ProjectHandle, ProjectPlan
from tests.examples import project, sales, spec_text


@dataclass(frozen=True)
class Shop:
    """A project, what was planned first, what the apply of that plan did and what progress it told."""

    project: ProjectHandle
    plan: ProjectPlan
    report: ApplyReport
    progress: list[tuple[str, str]]


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Two forecasts of which the gate rejects one; the other has a forecast, and actual values since then."""
    root = project(tmp_path_factory.mktemp("api") / "shop", demand=spec_text())
    opened, told = mlspec.open(root / "data"), list[tuple[str, str]]()
    plan = opened.plan()
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(
            lambda: opened.apply(plan=plan, progress=lambda name, step, *_rest: told.append((name, step)))
        ).result()
    (root / "data" / "sales.csv").write_text(sales(45))
    opened.apply().raise_for_errors()
    return Shop(opened, plan, report, told)


@pytest.fixture
def shop(applied: Shop, tmp_path: Path) -> Shop:
    """A copy of it."""
    root = shutil.copytree(applied.project.root, tmp_path / "shop")
    return Shop(mlspec.open(root), applied.plan, applied.report, applied.progress)
