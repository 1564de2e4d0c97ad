"""Two releases side by side: specs, backtest, what was realised, and what differs in the forecast."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from mlspec.engine.forecast_comparison import compare_runs
from mlspec.engine.forecast_sums import compare_files
from mlspec.engine.rows import load_rows, run_of_release, series_columns
from mlspec.plan.forecast_changes import ForecastValue, compare_forecasts
from tests.waiting import until
from tests.web.browser import PHONE, SMALLEST_TEXT, accessibility_faults, opened, sideways
from tests.web.page_site import PageProject, serving_pages
from tests.web.shop import mlspec
from tests.web.test_pages import get, words_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser
PATH = "/forecasts/demand/releases"


@pytest.fixture(scope="module")
def releases_site(three_releases: PageProject) -> Iterator[str]:
    """The pages of the project with three releases, whose errors are measured."""
    with serving_pages(three_releases) as site:
        until(lambda: "refresh" not in get(site + PATH)[1])
        yield site


def test_two_releases_stand_side_by_side_as_the_command_diff_compares_them(
    releases_site: str, three_releases: PageProject, chromium: Browser
) -> None:
    with opened(chromium, f"{releases_site}/forecasts/demand", PHONE) as page:
        page.get_by_role("link", name="Releases").click()
        page.get_by_label("Compare").select_option("2")
        page.get_by_label("with").select_option("3")
        page.get_by_role("button", name="Show").click()
        assert accessibility_faults(page) == []
        assert sideways(page) <= 0
        assert page.evaluate(SMALLEST_TEXT) >= 11
        fields = page.locator("#fields").inner_text()
        numbers = page.locator("#numbers tbody tr", has_text="WAPE").locator("td").all_inner_texts()
        total = page.locator("table.changes tbody tr").first.locator("td").all_inner_texts()
    assert "croston" in fields
    target = three_releases.target
    errors = {one.version: one.metrics for one in three_releases.overview().by_version}
    newest, before = target.load_releases("demand")[:2]
    metrics = {one.version: one.metrics for one in target.load_versions("demand")}
    known = [metrics[one.version]["wape"] for one in (before, newest)]
    known += [errors.get(one.version, {}).get("wape") for one in (before, newest)]
    assert numbers == ["–" if value is None else f"{value:.1%}" for value in known]
    said = mlspec(three_releases.root, "diff", "demand", "2", "3", "--values").stdout
    assert "candidates" in said
    sums = re.findall(r"^total +([0-9,]+) +([0-9,]+)", said, re.MULTILINE)
    assert sums == [(total[0], total[1])]


def test_a_release_that_is_none_and_a_forecast_with_one_are_said(site: str) -> None:
    status, _, page = get(f"{site}{PATH}?a=9&b=1")
    assert (status, "demand has no release" in words_of(page)) == (404, True)
    assert get(f"{site}{PATH}?a=nine&b=1")[0] == 400
    until(lambda: "refresh" not in get(f"{site}/forecasts/orders/releases")[1])
    assert "There is one release" in words_of(get(f"{site}/forecasts/orders/releases")[2])
    assert get(f"{site}/forecasts/nothing/releases")[0] == 404


def test_the_realised_error_of_a_version_is_that_of_its_own_forecasts(three_releases: PageProject) -> None:
    overview = three_releases.overview()
    first = three_releases.target.load_releases("demand")[-1].version
    measured = {one.version: one for one in overview.by_version}
    assert first in measured
    assert sum(one.values for one in overview.by_version) >= overview.total.values > 0
    assert measured[first].metrics["wape"] is not None


def test_sums_by_column_are_those_of_the_rows(three_releases: PageProject) -> None:
    target = three_releases.target
    series = series_columns(target, "demand")
    before, after = (run_of_release(target, "demand", number) for number in (1, 3))
    found = compare_files(target, before, after, series)
    sides = [
        [ForecastValue((row[0],), row[1], row[3]) for row in load_rows(target, "demand", "forecast", run).values]
        for run in (before, after)
    ]
    wanted = compare_forecasts(*sides)
    assert found is not None
    assert wanted is not None
    assert found.periods == wanted.periods
    assert {one.series: (one.before, one.after) for one in found.series} == {
        one.series: pytest.approx((one.before, one.after)) for one in wanted.series
    }
    assert found.total.after == pytest.approx(wanted.total.after)
    assert compare_runs(target, "demand", before, after, {}).changes == found
