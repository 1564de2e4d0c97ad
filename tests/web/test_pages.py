"""The server's pages as a browser gets them: what they say, in which language, and what they refuse."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import openpyxl
import pytest

from mlspec.engine.forecast_comparison import compare_runs
from mlspec.engine.overview import find_previous_run, overview_request
from mlspec.engine.rows import load_rows, newest_run
from mlspec.jobs.realised_errors import compare_errors
from mlspec.state.overview import OverviewRow
from tests.waiting import until
from tests.web.page_site import SHOPS, PageProject, serving_pages
from tests.web.shop import Server

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser


def get(address: str, **headers: str) -> tuple[int, dict[str, str], str]:
    """Return the status, the headers and the text of an answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(address, headers=named), timeout=60) as answer:
            return answer.status, {key.lower(): value for key, value in answer.headers.items()}, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, {key.lower(): value for key, value in error.headers.items()}, error.read().decode()


def words_of(page: str) -> str:
    """Return the text of a page, without its tags and data."""
    plain = re.sub(r"<script.*?</script>|<[^>]+>", " ", page, flags=re.DOTALL)
    return " ".join(plain.split())


def measured(site: str, name: str = "demand", **words: str) -> str:
    """Return a forecast's page once its errors are measured."""
    address = f"{site}/forecasts/{name}?{'&'.join(f'{key}={quote(value)}' for key, value in words.items())}"
    until(lambda: "refresh" not in get(address)[1])
    return get(address)[2]


# --- what is measured -------------------------------------------------------------------------------------------------


def test_the_errors_of_an_overview_are_those_of_the_command_errors(page_project: PageProject) -> None:
    overview = page_project.overview()
    request = overview_request(page_project.target, "demand", "2026-12-01T00:00:00Z", page_project.root)
    rows = {by: compare_errors(request, by, None)[1] for by in ("all", "series", "horizon", "segment")}
    ours = {row.key[0]: row for row in overview.series}
    for theirs in rows["series"]:
        assert_same_errors(ours[theirs["shop"]], theirs)
    assert len(ours) == len(rows["series"]) == SHOPS
    assert_same_errors(overview.total, rows["all"][0])
    regions = {row.key[0]: row for row in overview.segments["region"]}
    for theirs in (row for row in rows["segment"] if row["segment"] == "region"):
        assert_same_errors(regions[theirs["value"]], theirs)
    assert {pair.at: (pair.realised, pair.backtest) for pair in overview.by_horizon} == {
        str(row["periods_ahead"]): pytest.approx((row["realised"]["wape"], row["backtest"]["wape"]))
        for row in rows["horizon"]
    }
    assert overview.metrics == {
        name: value if value is None else pytest.approx(value)
        for name, value in rows["all"][0]["realised"].items()
        if name != "values"
    }


def assert_same_errors(ours: OverviewRow, theirs: dict[str, dict[str, float]]) -> None:
    realised, backtest = theirs["realised"], theirs["backtest"]
    assert (ours.realised, ours.bias, ours.values, ours.backtest) == pytest.approx(
        (realised["wape"], realised["bias"], realised["values"], backtest["wape"])
    )


def test_what_changed_is_what_the_command_forecast_compares(page_project: PageProject) -> None:
    target, overview = page_project.target, page_project.overview()
    run = newest_run(target, "demand")
    previous = find_previous_run(target, "demand", run)
    assert previous is not None
    changes = compare_runs(target, "demand", previous, run, {}).changes
    assert {row.key: (row.before, row.after) for row in overview.series} == {
        each.series: pytest.approx((each.before, each.after)) for each in changes.series
    }
    assert (overview.total.before, overview.total.after) == pytest.approx((changes.total.before, changes.total.after))
    assert (overview.compared, overview.before) == (len(changes.periods), previous.cutoff)


def test_segments_and_the_total_are_sums_of_their_series(page_project: PageProject) -> None:
    overview = page_project.overview()
    for rows in (overview.segments["region"], overview.series):
        assert sum(row.series for row in rows) == SHOPS
        assert sum(row.forecast or 0 for row in rows) == pytest.approx(overview.total.forecast)
        assert sum(row.recent or 0 for row in rows) == pytest.approx(overview.total.recent)
    assert [row.key[0] for row in overview.series] == [f"shop {number}" for number in range(SHOPS)]  # 9 before 10


# --- what the pages say -----------------------------------------------------------------------------------------------


def test_a_page_that_waits_for_its_errors_says_so_and_asks_again(page_project: PageProject) -> None:
    with serving_pages(page_project) as site:
        status, headers, page = get(f"{site}/forecasts/orders")
        assert (status, headers["refresh"]) == (200, "2")
        assert "errors of each series are being measured" in page
        assert f"{SHOPS} of {SHOPS} series" in words_of(measured(site, "orders"))


def test_a_forecast_s_page_has_what_is_realised_beside_the_backtest_what_changed_and_what_happened(site: str) -> None:
    page = words_of(measured(site))
    for words in (
        "How the forecast is doing", "By periods ahead", "By region", "R0", "What changed since the last forecast",
        "Needs attention", "alert firing", "undelivered notice", "400 Bad Request", "Time line", "Deployed", "Lineage",
    ):  # fmt: skip
        assert words in page


def test_a_series_is_found_by_its_name_and_shown_with_its_numbers(site: str) -> None:
    page = words_of(measured(site, q="shop 1", sort="name"))
    assert f"5 of {SHOPS} series, page 1 of 1" in page  # 1 and 10 to 13
    shown = measured(site, series="shop 11")
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', shown, re.DOTALL)[1])  # type: ignore[index]
    assert data["title"] == "shop shop 11"
    assert data["curve"]["times"][-1] == "2024-02-15"
    assert get(f"{site}/forecasts/demand?series=nothing")[0] == 404


def test_no_text_of_a_user_becomes_part_of_a_page(site: str) -> None:
    for address in (
        f"{site}/forecasts/demand?q=%3Cscript%3E%22'",
        f"{site}/?q=%3Cscript%3E%22&owner=%22%3E",
        f"{site}/alerts",
    ):
        page = get(address)[2]
        assert "&lt;/script&gt;" in page or "forecasts/demand" not in address
        assert "<script>" not in page


def test_the_fleet_is_filtered_by_state_owner_and_name(site: str) -> None:
    everything = words_of(get(f"{site}/")[2])
    assert "demand" in everything
    assert "orders" in everything
    assert "1 of 2 forecasts" in words_of(get(f"{site}/?state=undelivered")[2])
    assert "1 of 2 forecasts" in words_of(get(f"{site}/?owner=stores@example.com")[2])
    assert "0 of 2 forecasts" in words_of(get(f"{site}/?state=held&q=dem")[2])


def test_the_inbox_says_since_when_and_whether_anybody_was_told(site: str) -> None:
    page = words_of(get(f"{site}/alerts")[2])
    for words in ("accuracy", "firing", "region=R", "1 notices not delivered", "webhook:hook", "given up"):
        assert words in page


def test_a_page_is_in_the_reader_s_language_with_numbers_and_dates_in_its_form(site: str) -> None:
    measured(site)
    status, headers, page = get(f"{site}/forecasts/demand", accept_language="pt-PT,pt;q=0.9,en;q=0.5")
    assert (status, headers["content-language"]) == (200, "pt-BR")
    said = words_of(page)
    assert "Como vai a previsão" in said
    assert "14/02/2024" in said
    assert re.search(r"\b[0-9]+,[0-9]%", said)
    named = get(f"{site}/forecasts/demand?language=en", accept_language="pt-BR")[1]
    assert named["content-language"] == "en"


def test_a_page_of_another_time_zone_can_be_read_in_utc(site: str) -> None:
    assert "Times of day are those of UTC" in get(f"{site}/forecasts/demand?utc=1")[2]


def test_downloads_have_every_row_also_for_a_spreadsheet_with_decimal_commas(
    site: str, page_project: PageProject
) -> None:
    rows = load_rows(page_project.target, "demand", "forecast", newest_run(page_project.target, "demand"))
    text = get(f"{site}/forecasts/demand/forecast.csv")[2].removeprefix("\ufeff")
    assert len(list(csv.reader(io.StringIO(text)))) == len(rows.values) + 1
    own = get(f"{site}/forecasts/demand/forecast.csv?form=semicolon")[2].removeprefix("\ufeff")
    first = next(iter(csv.DictReader(io.StringIO(own), delimiter=";")))
    assert float(first["mean"].replace(",", ".")) == pytest.approx(rows.values[0][rows.columns.index("mean")])
    assert "," in first["q0.1"]
    with urlopen(f"{site}/forecasts/demand/forecast.xlsx", timeout=60) as answer:
        book = openpyxl.load_workbook(io.BytesIO(answer.read()))
    assert book.active is not None
    assert book.active.max_row == len(rows.values) + 1


def test_pages_run_and_load_nothing_but_the_server_s_own_files(site: str) -> None:
    _, headers, page = get(f"{site}/")
    policy = headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert headers["cache-control"] == "no-store"
    assert not re.findall(r"<script(?! src| type)|<style|style=| on[a-z]+=", page)
    for address in re.findall(r'(?:src|href)="(/assets/[^"]+)"', page):
        assert get(site + address)[0] == 200
    assert get(f"{site}/assets/..%2f..%2fpyproject.toml")[0] == 404
    assert get(f"{site}/assets/nothing.js")[0] == 404


def test_an_unknown_forecast_is_a_page_that_says_so(site: str) -> None:
    status, _, page = get(f"{site}/forecasts/nothing")
    assert status == 404
    assert "there is no forecast" in page


def test_the_server_of_predictions_has_the_pages_too(one: Server) -> None:
    status, headers, body = one.ask("GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'href="/forecasts/demand"' in body
    assert one.ask("GET", "/docs")[0] == 200
    until(lambda: "refresh" not in one.ask("GET", "/forecasts/demand")[1])
    assert b"12 of 12 series" in one.ask("GET", "/forecasts/demand")[2]


def test_the_files_of_others_are_those_that_the_readme_names() -> None:
    import hashlib

    folder = Path(__file__).parents[2] / "templates/pages/vendor"
    named = dict(re.findall(r"\| `([^`]+)` \| `([0-9a-f]{64})` \|", (folder / "README.md").read_text()))
    assert {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in named} == named
    assert set(named) == {"uplot.js", "uplot.css"}
