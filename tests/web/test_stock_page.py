"""The planner's table: series by periods, with orders and the stock that is expected."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING
from urllib.request import urlopen

import openpyxl
import pytest

from mlspec.engine import planner_table
from tests.web.browser import DESKTOP, PHONE, SMALLEST_TEXT, accessibility_faults, opened, sideways
from tests.web.page_site import SHOPS
from tests.web.test_pages import get, words_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser
PATH = "/forecasts/demand/stock"


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_planner_writes_the_stock_of_a_shop_and_sees_what_to_order(
    site: str, chromium: Browser, size: tuple[int, int]
) -> None:
    with opened(chromium, f"{site}/forecasts/demand", size) as page:
        page.get_by_role("link", name="Orders and stock").click()
        assert accessibility_faults(page) == []
        assert sideways(page) <= 0
        assert page.evaluate(SMALLEST_TEXT) >= 11
        page.get_by_label("Search").fill("shop 7")
        page.get_by_role("button", name="Show").click()
        assert "1 of 14 series" in page.locator("[role=status]").inner_text()
        up_to = float(page.locator("#stock tbody td").nth(1).inner_text())
        page.get_by_label("stock now: shop shop 7").fill("5")
        page.get_by_role("button", name="Compute").click()
        rows = page.locator("#stock tbody tr").all_inner_texts()
        assert page.get_by_label("stock now: shop shop 7").input_value() == "5"
        link = page.get_by_role("link", name="Download CSV", exact=True).get_attribute("href")
    order = float(rows[1].split("\t")[1])
    assert order == pytest.approx(up_to - 5, abs=1)  # lead time and review are one period each
    with urlopen(f"{site}{link}", timeout=60) as answer:
        text = answer.read().decode("utf-8-sig")
    table = [row for row in csv.DictReader(io.StringIO(text)) if row["shop"] == "shop 7"]
    assert float(table[0]["order"]) == pytest.approx(order, abs=0.5)
    assert float(table[1]["arrival"]) == float(table[0]["order"])
    assert float(table[0]["expected_stock"]) == pytest.approx(5 - float(table[0]["demand"]))


def test_the_files_have_every_series_and_period(site: str) -> None:
    own = get(f"{site}{PATH}.csv?form=semicolon&language=pt-BR&stock.shop+7=7,5")[2].removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(own), delimiter=";"))
    assert len(rows) == SHOPS * 2
    (first, _) = [row for row in rows if row["shop"] == "shop 7"]
    stock, demand = (float(first[name].replace(",", ".")) for name in ("expected_stock", "demand"))
    assert stock == pytest.approx(7.5 - demand)
    with_a_point = get(f"{site}{PATH}.csv?form=semicolon&language=pt-BR&stock.shop+7=7.5")[2]
    assert with_a_point.removeprefix("\ufeff") == own  # and not 75
    assert get(f"{site}{PATH}.csv?language=en&stock.shop+7=7,5")[0] == 400
    with urlopen(f"{site}{PATH}.xlsx", timeout=60) as answer:
        book = openpyxl.load_workbook(io.BytesIO(answer.read()))
    assert book.active is not None
    assert book.active.max_row == SHOPS * 2 + 1


def test_many_series_are_read_without_their_names(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    few = get(f"{site}{PATH}.csv")[2]
    monkeypatch.setattr(planner_table, "_FEW", 3)
    assert get(f"{site}{PATH}.csv")[2] == few


def test_a_stock_that_is_no_number_is_said(site: str) -> None:
    status, _, page = get(f"{site}{PATH}?stock.shop+7=many")
    assert (status, "the stock of shop 7 is" in words_of(page)) == (400, True)
    assert "14 de 14 séries" in words_of(get(f"{site}{PATH}?language=pt-BR")[2])
    assert get(f"{site}/forecasts/nothing/stock")[0] == 404


def test_columns_of_files_have_the_same_names_in_every_language_and_a_page_says_what_they_mean(site: str) -> None:
    for address in ("demand/forecast", "demand/stock", "demand/quality"):
        plain, own = (
            get(f"{site}/forecasts/{address}.csv?language={language}")[2].splitlines()[0]
            for language in ("en", "pt-BR")
        )
        assert plain == own
        half = get(f"{site}/forecasts/{address}.csv?language=pt-BR&form=semicolon")[2].splitlines()[0]
        assert half == plain.replace(",", ";")
    for address, meaning in (
        ("demand", "mean (média)"),
        ("demand/stock", "expected_stock (estoque esperado)"),
        ("demand/quality", "filled_periods (períodos preenchidos)"),
    ):
        assert meaning in words_of(get(f"{site}/forecasts/{address}?language=pt-BR")[2])
        assert "in every language" not in words_of(get(f"{site}/forecasts/{address}?language=en")[2])
