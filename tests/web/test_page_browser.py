"""Every page in a real browser, on a desk and on a phone: readable, accessible, whole, and nothing of it blocked."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlspec.render.forecast_page import render_report
from mlspec.render.page_facts import SeriesCurve
from mlspec.render.reader import LANGUAGES, Reader
from mlspec.render.series_listing import SeriesIndex
from mlspec.state.overview import ForecastOverview, OverviewRow
from tests.render.test_report import CURVE, FACTS
from tests.web.browser import DESKTOP, PHONE, SMALLEST_TEXT, accessibility_faults, opened, sideways
from tests.web.page_site import PageProject
from tests.web.shop import mlspec

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser

MANY = 3_000
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
PAGES = (
    "/",
    "/alerts",
    "/forecasts/demand",
    "/forecasts/demand?series=shop+3&language=pt-BR",
    "/forecasts/orders?utc=1",
    "/forecasts/demand/releases?language=pt-BR",
    "/forecasts/demand/quality",
    "/forecasts/orders/quality?language=pt-BR",
    "/forecasts/demand/stock?language=pt-BR",
)


@pytest.fixture(scope="module")
def report(page_project: PageProject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the same project, as the command writes it."""
    file = tmp_path_factory.mktemp("report") / "demand.html"
    done = mlspec(page_project.root, "report", "demand", "--out", str(file))
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture(scope="module")
def large_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of thousands of series, whose forecast is the number of the series."""
    rows = tuple(
        OverviewRow((f"shop {number}",), 1, forecast=float(number), recent=1.0, realised=number / MANY, values=1)
        for number in range(MANY)
    )
    ids = tuple(f"id {number}" for number in range(MANY))
    overview = ForecastOverview(("shop",), OverviewRow((), MANY), rows, ids, {})
    curves = {
        name: replace(CURVE, mean=[None, None, float(at)], quantiles={}) for at, name in enumerate(ids)
    }  # fmt: skip
    file = tmp_path_factory.mktemp("large") / "report.html"
    file.write_text(render_report(replace(FACTS, series=SeriesIndex(overview)), CURVE, curves, Reader()))
    return file


@SIZES
@pytest.mark.parametrize("path", PAGES)
def test_a_page_of_the_server_is_readable_and_accessible(
    site: str, chromium: Browser, path: str, size: tuple[int, int]
) -> None:
    with opened(chromium, site + path, size) as page:
        assert_readable(page)


@pytest.mark.parametrize(("size", "scheme"), [(DESKTOP, "dark"), (PHONE, "light")], ids=["desk", "phone"])
def test_a_report_is_readable_and_accessible(
    report: Path, chromium: Browser, size: tuple[int, int], scheme: str
) -> None:
    with opened(chromium, report.as_uri(), size, color_scheme=scheme) as page:
        assert_readable(page)


def assert_readable(page: Page) -> None:
    assert accessibility_faults(page) == []
    assert sideways(page) <= 0
    assert page.evaluate(SMALLEST_TEXT) >= 11


def test_a_chart_is_drawn_with_its_unit_and_its_numbers_are_in_a_table(site: str, chromium: Browser) -> None:
    with opened(chromium, f"{site}/forecasts/demand?series=shop+3") as page:
        assert page.locator("#chart canvas").is_visible()
        assert not page.locator("#static-chart").is_visible()
        assert "units" in page.locator("#chart .u-legend").inner_text()
        assert page.locator("#numbers tbody tr").count() == 2
        assert page.locator("#numbers thead").inner_text().count("quantile") == 3
        page.get_by_role("button", name="Newest", exact=True).click()


def test_without_scripts_the_page_has_a_picture_and_all_numbers(site: str, chromium: Browser) -> None:
    with opened(chromium, f"{site}/forecasts/demand?series=shop+3", PHONE, java_script_enabled=False) as page:
        picture = page.locator("#static-chart svg")
        assert picture.is_visible()
        assert "units" in (picture.text_content() or "")
        assert re.search(r"[0-9]+ Jan 2024", picture.text_content() or "")
        page.get_by_label("Search").fill("shop 7")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="shop shop 7").click()
        assert page.locator("h2#chart-title").inner_text() == "shop shop 7"


def test_a_fleet_leads_to_a_forecast_and_back(site: str, chromium: Browser) -> None:
    with opened(chromium, f"{site}/?language=pt-BR") as page:
        page.get_by_role("link", name="orders").click()
        assert page.locator("html").get_attribute("lang") == "pt-BR"
        page.get_by_role("link", name="English").click()
        assert page.locator("html").get_attribute("lang") == "en"
        page.get_by_role("link", name=re.compile("^Alerts")).click()
        assert page.locator("h1").inner_text() == "Alerts"


def test_a_report_of_thousands_of_series_is_searched_turned_and_ordered(large_report: Path, chromium: Browser) -> None:
    with opened(chromium, large_report.as_uri()) as page:
        first = page.locator("#listing tbody th").first
        assert "3,000 of 3,000 series, page 1 of 60" in page.locator("#listing-count").inner_text()
        assert first.inner_text() == "shop shop 2999"  # the worst error
        page.get_by_role("button", name="Next").click()
        assert first.inner_text() == "shop shop 2949"
        page.get_by_label("Order").select_option("name")
        assert first.inner_text() == "shop shop 0"
        page.get_by_label("Search").fill("shop 123")
        assert "13 of 3,000" in page.locator("#listing-count").inner_text()
        page.get_by_role("button", name="shop shop 1234").click()
        page.wait_for_function("document.getElementById('chart-title').textContent === 'shop shop 1234'")
        assert page.locator("#numbers tbody td").first.inner_text() == "1,234"


@pytest.mark.parametrize(("separator", "name", "mean"), [(",", "Download CSV", "7.5"), (";", "decimal commas", "7,5")])
def test_a_report_gives_all_rows_as_csv(
    chromium: Browser, tmp_path: Path, separator: str, name: str, mean: str
) -> None:
    evil = OverviewRow(("=cmd()",), 1, forecast=7.5)
    overview = ForecastOverview(("shop",), OverviewRow((), 1), (evil, evil), ("a", "b"), {})
    curves: dict[str, SeriesCurve] = {each: replace(CURVE, mean=[None, None, 7.5]) for each in ("a", "b")}
    (tmp_path / "r.html").write_text(
        render_report(replace(FACTS, series=SeriesIndex(overview)), CURVE, curves, Reader())
    )
    with opened(chromium, (tmp_path / "r.html").as_uri()) as page:
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name, exact=name == "Download CSV").click()
        with waiting.value.path().open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=separator))
    assert [(row["shop"], row["time"], row["mean"]) for row in rows] == [("'=cmd()", "2024-01-03", mean)] * 2


def test_print_has_the_picture_or_the_chart_that_was_chosen(large_report: Path, chromium: Browser) -> None:
    with opened(chromium, large_report.as_uri()) as page:
        page.emulate_media(media="print")
        assert page.locator("#static-chart svg").is_visible()
        assert not page.locator("form.filters").is_visible()
        page.emulate_media(media="screen")
        page.locator("#listing tbody button").first.click()
        page.wait_for_function("document.documentElement.classList.contains('chosen')")
        page.emulate_media(media="print")
        assert page.locator("#chart canvas").is_visible()
        assert not page.locator("#static-chart").is_visible()


def test_a_report_is_in_the_language_that_was_asked_for(chromium: Browser, tmp_path: Path) -> None:
    reader = Reader(LANGUAGES["pt-BR"], "America/Sao_Paulo")
    overview = ForecastOverview(("shop",), OverviewRow((), 1), (OverviewRow(("1",), 1, forecast=1234.5),), ("a",), {})
    (tmp_path / "r.html").write_text(
        render_report(replace(FACTS, series=SeriesIndex(overview)), CURVE, {"a": CURVE}, reader)
    )
    with opened(chromium, (tmp_path / "r.html").as_uri()) as page:
        assert page.locator("html").get_attribute("lang") == "pt-BR"
        assert "\t1.234\t" in page.locator("#listing tbody tr").first.inner_text()  # by the page's script
        assert "03/01/2024" in page.locator("#numbers tbody").inner_text()
