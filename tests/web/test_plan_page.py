"""A plan as a page: one file without scripts, whole, whatever the specs say."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlspec.cli import main as front
from mlspec.cli.plan_page import as_page
from mlspec.state.plan import Change, Obstacle
from tests.cli.test_plan_markdown import model, plan_of
from tests.web.browser import DESKTOP, PHONE, SMALLEST_TEXT, accessibility_faults, opened, sideways
from tests.web.page_site import HOSTILE, PageProject
from tests.web.shop import mlspec
from tests.web.test_pages import words_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_plan_is_a_page_that_needs_nothing_but_a_browser(
    page_project: PageProject, tmp_path: Path, chromium: Browser, size: tuple[int, int]
) -> None:
    root = shutil.copytree(page_project.root, tmp_path / "copy")
    spec = root / "specs/demand.yaml"
    spec.write_text(spec.read_text().replace("horizon: 2", "horizon: 3"))
    done = mlspec(root, "plan", "--output", "html", "--language", "pt-BR")
    assert done.returncode == 0, done.stderr
    (tmp_path / "plan.html").write_text(done.stdout)
    with opened(chromium, (tmp_path / "plan.html").as_uri(), size) as page:
        assert page.locator("html").get_attribute("lang") == "pt-BR"
        assert page.locator("h1").inner_text() == "Plano para o alvo local"
        assert "model.horizon" in page.locator(".plan-group", has_text="demand").first.inner_text()
        assert accessibility_faults(page) == []
        assert sideways(page) <= 0
        assert page.evaluate(SMALLEST_TEXT) >= 11
    assert "<script" not in done.stdout
    assert "http:" not in done.stdout
    assert "script-src &#39;none&#39;" in done.stdout


def test_the_project_says_the_language_of_its_pages_and_the_option_goes_before_it(
    page_project: PageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(shutil.copytree(page_project.root, tmp_path / "copy"))
    with Path("mlspec.yaml").open("a") as file:
        file.write("language: pt-BR\n")
    assert front.run(["plan", "--output", "html"]) == 0
    assert "Plano para o alvo local" in capsys.readouterr().out
    assert front.run(["plan", "--output", "html", "--language", "en"]) == 0
    assert "Plan for target local" in capsys.readouterr().out
    Path("mlspec.yaml").write_text(Path("mlspec.yaml").read_text().replace("pt-BR", "pt"))
    assert front.run(["validate"]) == 1
    assert "language: 'pt': expected one of en, pt-BR" in capsys.readouterr().out


def test_every_forecast_is_on_the_page_and_those_that_change_alike_are_read_once() -> None:
    plan = plan_of(
        *(model(f"store-{number}") for number in range(300)),
        Change("bikes", "infra.bikes", "delete", "1 to destroy"),
        Change("kept", "deployment.kept", "none", "the gate keeps v1 out"),
        obstacles=(Obstacle("lost", f"there is no {HOSTILE}", "put it there"),),
    )
    page = as_page(plan)
    words = words_of(page)
    assert "1 to delete" in words
    assert "301 of 303 forecasts change" in words
    assert "300 forecasts change in the same way" in words
    assert all(f"store-{number}" in words for number in range(300))
    assert words.count("model.horizon changed: trains") == 1
    assert words.index("1 to destroy") < words.index("model.horizon changed")
    assert "kept the gate keeps v1 out" in words
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "Nothing to do" in words_of(as_page(plan_of()))
