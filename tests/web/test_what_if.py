"""A planner asks on a page, or a program by HTTP, what a forecast would be with a promotion; nothing is recorded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mlspec import jobs
from mlspec.engine.what_if import WhatIfComparison, compare_what_if
from mlspec.errors import StateError, TargetError, TargetUnreachable
from mlspec.state.assumptions import Assumptions
from mlspec.web import what_if
from mlspec.web.what_if import WhatIfAnswers
from tests.promotions import make_promotions
from tests.web.browser import DESKTOP, PHONE, SMALLEST_TEXT, accessibility_faults, opened, sideways
from tests.web.in_process import InProcessServer, cached_forecast
from tests.web.page_site import PageProject, serving_pages
from tests.web.test_pages import get, words_of
from tests.web.what_if_stand_in import PROMOTED, assume

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser

PATH = "/v1/models/shops:whatIf"


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> PageProject:
    """A project with a known covariate."""
    return PageProject(make_promotions(tmp_path_factory.mktemp("what-if-page")))


@pytest.fixture(scope="module")
def site(promoted: PageProject) -> Iterator[str]:
    """Its pages. What-ifs are computed in a process of their own."""
    with serving_pages(promoted, what_if=WhatIfAnswers(partial(compare, promoted))) as address:
        yield address


def compare(made: PageProject, name: str, assumed: Assumptions) -> WhatIfComparison:
    return compare_what_if(made.target, name, made.root, assumed, jobs.forecast_what_if_apart)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_planner_tries_a_promotion_for_a_shop(
    promoted: PageProject, site: str, chromium: Browser, size: tuple[int, int]
) -> None:
    before = promoted.target.serial
    with opened(chromium, f"{site}/forecasts/demand", size) as page:
        page.get_by_role("link", name="What if").click()
        assert accessibility_faults(page) == []
        page.get_by_label("promo", exact=True).fill("1")
        page.get_by_label("Only for shop").fill("a")
        page.get_by_label("From period").fill("2024-04-10")
        page.get_by_label("To period").fill("2024-04-10")
        page.get_by_role("button", name="Compute").click()
        page.wait_for_selector("#answer")
        assert accessibility_faults(page) == []
        assert sideways(page) <= 0
        assert page.evaluate(SMALLEST_TEXT) >= 11
        periods = [row.split("\t") for row in page.locator("#periods tbody tr").all_inner_texts()]
        assert "1 of 2 series change" in page.inner_text("main")
        assert page.locator("table.changes tbody tr").nth(1).inner_text().startswith("shop a")
    assert [row[0] for row in periods if row[1] != row[2]] == ["10 Apr 2024"]
    assert promoted.target.serial == before
    done = compare_what_if(
        promoted.target, "demand", promoted.root, Assumptions({"promo": "1"}, {"shop": "a"}, "2024-04-10", "2024-04-10"),
        jobs.forecast_what_if,
    )  # fmt: skip
    apart = compare(promoted, "demand", Assumptions({"promo": "1"}, {"shop": "a"}, "2024-04-10", "2024-04-10"))
    assert apart == done  # in a process of its own, as in this one


def test_numbers_and_dates_are_typed_as_the_page_writes_them(site: str) -> None:
    asked = "set.promo=1,0&only.shop=a&from=10/04/2024&to=10/04/2024&language=pt-BR"
    status, _, page = get(f"{site}/forecasts/demand/what-if?{asked}")
    assert (status, "1 de 2 séries mudam" in words_of(page)) == (200, True), words_of(page)
    assert 'value="10/04/2024"' in page
    form = get(f"{site}/forecasts/demand/what-if?language=pt-BR")[2]
    assert 'name="from" value="" maxlength="40" autocomplete="off" placeholder="' in form
    assert "/04/2024" in form.partition('name="from"')[2][:120]


def test_what_no_plan_can_have_is_said_on_the_page(site: str, page_project: PageProject) -> None:
    for words, said in (
        ("set.promo=x", "'x' is no value of 'promo'"),
        ("set.promo=1&from=yesterday", "'yesterday' is no date"),
        ("set.promo=1&only.shop=z", "there is no series shop=z"),
    ):
        status, _, page = get(f"{site}/forecasts/demand/what-if?{words}&language=pt-BR")
        assert (status, "Sem resposta" in page, said in words_of(page).replace("&#39;", "'")) == (400, True, True)
    with serving_pages(page_project, what_if=WhatIfAnswers(assume)) as other:
        assert "has no known covariates" in words_of(get(f"{other}/forecasts/orders/what-if")[2])
    with serving_pages(page_project) as other:
        assert get(f"{other}/forecasts/orders/what-if")[0] == 404
        assert "what-if" not in get(f"{other}/forecasts/orders")[2]


# --- by HTTP ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> InProcessServer:
    forecasts = {"shops": cached_forecast("1", "2", dataset=PROMOTED), "new": "no version serves yet"}
    return InProcessServer(forecasts, what_if=assume)


def test_a_program_gets_the_sums_of_both_forecasts(server: InProcessServer) -> None:
    body = {"assumed": {"promo": 1, "fair": "-10%"}, "series": {"shop": "1"}, "from": "2024-02-12", "to": None}
    answer = server.ask("POST", PATH, body)
    assert answer.code == 200
    assert answer.json == {
        "forecast": "shops", "cutoff": "2024-02-11", "assumed": {"promo": "1", "fair": "-10%"}, "periods": ["2024-02-12"],
        "total": {"before": 1.0, "after": 2.0, "change": 1.0, "change_share": 1.0},
        "series": [{"series": {"shop": "1"}, "before": 1.0, "after": 2.0, "change": 1.0, "change_share": 1.0}],
        "notes": ["a note"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "code", "said"),
    [
        (PATH, {"assumed": {}}, 400, "assumed"),
        (PATH, {"assumed": {"prise": 1}}, 400, "assumed has no column 'prise': expected one of promo, fair"),
        (PATH, {"assumed": {"promo": True}}, 400, "assumed.promo"),
        (PATH, {"assumed": {"promo": "x"}}, 400, "this is no value: write a number"),
        (PATH, {"assumed": {"promo": 1}, "series": {"store": "1"}}, 400, "series has no column 'store'"),
        (PATH, {"assumed": {"promo": 1}, "until": "2024"}, 400, "until"),
        (PATH, [], 400, "the body"),
        (PATH, b"{", 400, "the body"),
        ("/v1/models/new:whatIf", {"assumed": {"promo": 1}}, 503, "no version serves yet"),
        ("/v1/models/none:whatIf", {"assumed": {"promo": 1}}, 404, "is not served"),
    ],
)
def test_what_is_no_request_is_refused_in_words(
    server: InProcessServer, path: str, body: object, code: int, said: str
) -> None:
    answer = server.ask("POST", path, body)
    assert (answer.code, said in answer.json["error"]["message"]) == (code, True), answer.json


def test_a_failure_is_no_error_of_the_server(server: InProcessServer) -> None:
    def fail(_name: str, _assumed: Assumptions) -> WhatIfComparison:
        raise StateError("nothing of shops serves")

    failing = InProcessServer({"shops": cached_forecast("1", dataset=PROMOTED)}, what_if=fail)
    assert failing.ask("POST", PATH, {"assumed": {"promo": 1}}).code == 503
    assert server.ask("GET", PATH).code == 405
    without = InProcessServer({"shops": cached_forecast("1", dataset=PROMOTED)})
    assert without.ask("POST", PATH, {"assumed": {"promo": 1}}).code == 405
    assert PATH not in json.dumps(without.ask("GET", "/openapi.json").json)


def test_one_what_if_is_computed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(what_if, "_WAIT_SECONDS", 0.0)
    entered, leave = threading.Event(), threading.Event()

    def work(name: str, assumed: Assumptions) -> WhatIfComparison:
        if not entered.is_set():  # only the first waits: a second one that is let in shows it at once
            entered.set()
            assert leave.wait(30)
        return assume(name, assumed)

    answers, assumed = WhatIfAnswers(work), Assumptions({"promo": "1"}, {})
    first = threading.Thread(target=answers.answer, args=("shops", assumed))
    first.start()
    try:
        assert entered.wait(30)
        with pytest.raises(TargetUnreachable, match="another what-if"):
            answers.answer("shops", assumed)
    finally:
        leave.set()
        first.join()
    assert answers.answer("shops", assumed).cutoff == "2024-02-11"


def test_a_what_if_that_takes_too_long_is_ended(promoted: PageProject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "WHAT_IF_SECONDS", 0.0)
    with pytest.raises(TargetError, match="took longer than 0 s"):
        compare(promoted, "demand", Assumptions({"promo": "1"}, {}))
