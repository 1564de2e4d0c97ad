"""The quality of a forecast's data over time, from the checks that the record keeps."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.web.browser import DESKTOP, PHONE, SMALLEST_TEXT, accessibility_faults, opened, sideways
from tests.web.page_site import PageProject, serving_pages
from tests.web.test_pages import get, words_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser
PATH = "/forecasts/demand/quality"
BROKEN = {
    "ok": False, "rows": 700, "bad_rows": {"count": 3}, "series": 14, "cutoff": "2024-02-14", "missing_periods": 5,
    "ended": {"count": 2}, "checks": [{"check": "gaps", "ok": False, "message": "5 periods are missing <b>"}],
}  # fmt: skip


@pytest.fixture
def broken(page_project: PageProject, tmp_path: Path) -> PageProject:
    """A copy of the project in which the newest check found a broken contract, and an older mlspec recorded nothing."""
    copy = PageProject(shutil.copytree(page_project.root, tmp_path / "copy"))
    copy.target.file_step("demand", step="check", key="z", outputs={}, facts=BROKEN, at="2035-01-01T09:00:00Z")
    copy.target.file_step("demand", step="check", key="y", outputs={}, facts={"ok": True}, at="2020-01-01T09:00:00Z")
    return copy


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_broken_contract_is_seen_among_the_checks(
    broken: PageProject, chromium: Browser, size: tuple[int, int]
) -> None:
    with serving_pages(broken) as site, opened(chromium, f"{site}/forecasts/demand", size) as page:
        page.get_by_role("link", name="Data quality").click()
        assert accessibility_faults(page) == []
        assert sideways(page) <= 0
        assert page.evaluate(SMALLEST_TEXT) >= 11
        rows = page.locator("#checks tbody tr").all_inner_texts()
        assert page.locator(".kept svg polyline").count() >= 5
    assert len(rows) == 5
    assert "broken" in rows[0]
    assert "gaps: 5 periods are missing <b>" in rows[0]
    assert rows[0].split("\t")[2:] == ["14 Feb 2024", "700", "3", "14", "–", "–", "5", "2"]
    assert rows[1].split("\t")[2:] == ["13 Feb 2024", "616", "0", "14", "0", "–", "0", "0"]
    assert rows[-1].split("\t")[2:] == ["–"] * 8


def test_every_check_is_in_the_file_the_oldest_first(broken: PageProject) -> None:
    with serving_pages(broken) as site:
        text = get(f"{site}{PATH}.csv")[2].removeprefix("\ufeff")
        assert get(f"{site}/forecasts/nothing/quality")[0] == 404
        assert "5 checks of the data are kept, in 1 the contract was broken" in words_of(get(site + PATH)[2])
        assert "em 1 o contrato foi violado" in words_of(get(f"{site}{PATH}?language=pt-BR")[2])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["checked"] for row in rows][::4] == ["2020-01-01T09:00:00Z", "2035-01-01T09:00:00Z"]
    assert (rows[-1]["contract"], rows[-1]["refused_rows"], rows[-1]["filled_periods"]) == ("broken", "3", "")
