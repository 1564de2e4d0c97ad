"""A small project that is applied once through the API, from another folder and in a thread, as notebooks do."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

import mlspec
import mlspec.api.project
from mlspec.api import ApplyReport, ProjectHandle, ProjectPlan
from mlspec.api.apply_process import ApplyRequest, ProgressCallback
from mlspec.api.apply_worker import answer_request
from mlspec.engine.assembly import ignore_progress
from mlspec.errors import MlspecError
from tests.examples import project, sales, spec_text


@dataclass(frozen=True)
class Shop:
    """A project, what was planned first, what the apply of that plan did and what progress it told."""

    project: ProjectHandle
    plan: ProjectPlan
    report: ApplyReport
    progress: list[tuple[str, str]]


def apply_here(request: ApplyRequest, progress: ProgressCallback | None) -> ApplyReport:
    """Apply in this process, which has loaded the libraries already: the process of an apply loads them each time."""
    answer = answer_request(request, progress or ignore_progress)
    if isinstance(answer, MlspecError):
        raise answer
    return answer


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every apply run in this process."""
    monkeypatch.setattr(mlspec.api.project, "run_apply", apply_here)


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """One forecast that was made twice: there are actual values since the first one."""
    root = project(tmp_path_factory.mktemp("api") / "shop", demand=spec_text())
    opened, told = mlspec.open(root / "data"), list[tuple[str, str]]()
    plan = opened.plan()
    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(
            lambda: opened.apply(plan=plan, progress=lambda name, step, *_rest: told.append((name, step)))
        ).result()
    (root / "data" / "sales.csv").write_text(sales(45))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlspec.api.project, "run_apply", apply_here)
        opened.apply().raise_for_errors()
    return Shop(opened, plan, report, told)


@pytest.fixture
def shop(applied: Shop, tmp_path: Path) -> Shop:
    """A copy of it."""
    root = shutil.copytree(applied.project.root, tmp_path / "shop")
    return Shop(mlspec.open(root), applied.plan, applied.report, applied.progress)
