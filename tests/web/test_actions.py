"""Actions on pages: off by default, behind the token, confirmed, kept in the history, and not for a page of another site."""

from __future__ import annotations

import base64
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlspec.cli import main as front
from mlspec.cli.page_actions import PageActions
from mlspec.errors import Exit
from mlspec.targets.record import locking
from mlspec.web.actions import ActionOrder
from mlspec.web.form_token import FormTokens
from tests.web.browser import DESKTOP, PHONE, accessibility_faults, opened, sideways
from tests.web.page_site import PageProject, serving_pages

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser

TOKEN = "0123456789abcdef-token"
BASIC = f"Basic {base64.b64encode(f'ana:{TOKEN}'.encode()).decode()}"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SILENCE = "/forecasts/demand/actions/silence"
ORDER = {"alert": "accuracy", "span": "2d", "author": "Ana", "reason": "a promotion", "confirmed": "yes"}


@pytest.fixture
def acting(
    page_project: PageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[PageProject, str]]:
    """A copy of the project, and the address of its pages with actions."""
    copy = PageProject(shutil.copytree(page_project.root, tmp_path / "copy"))
    monkeypatch.chdir(copy.root)
    with serving_pages(copy, TOKEN, PageActions("local")) as site:
        yield copy, site


def post(address: str, fields: dict[str, str], **headers: str) -> tuple[int, str]:
    """Send a form, and return the status and the page."""
    named = {"authorization": BASIC} | {name.replace("_", "-"): value for name, value in headers.items()}
    return fetch(Request(address, urlencode(fields).encode(), named))


def fetch(request: Request) -> tuple[int, str]:
    try:
        with urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


def form_token(site: str, path: str = SILENCE) -> str:
    """Return the token of a form that was just opened."""
    status, page = fetch(Request(site + path, headers={"authorization": BASIC}))
    assert status == 200
    return re.findall(r'name="token" value="([^"]+)"', page)[0]


def test_a_silence_from_a_page_is_in_force_and_in_the_history_with_author_and_reason(
    acting: tuple[PageProject, str],
) -> None:
    made, site = acting
    status, page = post(site + SILENCE, {**ORDER, "token": form_token(site)}, origin=site, sec_fetch_site="same-origin")
    assert (status, "Done." in page) == (200, True)
    (mute,) = made.target.observe_forecast("demand").ledger.silences
    assert (mute.alert, mute.by, mute.reason) == ("accuracy", "Ana (page)", "a promotion")
    event = made.target.load_events("demand")[0]
    assert (event.reason, "Ana (page): a promotion" in event.message) == ("Silenced", True)


def test_notices_that_were_given_up_are_sent_again_and_a_forecast_that_is_not_held_says_so(
    acting: tuple[PageProject, str],
) -> None:
    made, site = acting
    path = "/forecasts/demand/actions/notices"
    status, _ = post(site + path, {**ORDER, "token": form_token(site, path)})
    assert status == 200
    (pending,) = [each for each in made.target.load_undelivered_notices("demand") if each.notice.id == "lost"]
    assert not pending.is_given_up
    path = "/forecasts/orders/actions/resume"
    status, page = post(site + path, {**ORDER, "token": form_token(site, path)})
    assert (status, "neither held nor stalled" in page) == (409, True)


@pytest.mark.parametrize(
    ("fields", "headers", "code"),
    [
        ({"token": ""}, {}, 403),
        ({"token": "1.2"}, {}, 403),
        ({}, {"origin": "https://elsewhere.example"}, 403),
        ({}, {"origin": "null"}, 403),
        ({}, {"sec_fetch_site": "cross-site"}, 403),
        ({}, {"sec_fetch_site": "same-site"}, 403),
        ({}, {"content_type": "text/plain"}, 415),
        ({}, {"authorization": "Basic eDp5"}, 401),
        ({"confirmed": ""}, {}, 400),
        ({"author": " "}, {}, 400),
        ({"reason": "x" * 501}, {}, 400),
        ({"reason": "a\x00b"}, {}, 400),  # PostgreSQL takes no NUL
        ({f"more{number}": "x" for number in range(20)}, {}, 400),
        ({"span": "-1d"}, {}, 400),
        ({"span": "soon"}, {}, 400),
        ({"alert": "nothing"}, {}, 400),
        ({"reason": "x" * 20_000}, {}, 413),
    ],
)
def test_what_is_not_this_server_s_own_confirmed_form_changes_nothing(
    acting: tuple[PageProject, str], fields: dict[str, str], headers: dict[str, str], code: int
) -> None:
    made, site = acting
    before = made.target.serial
    status, page = post(site + SILENCE, {**ORDER, "token": form_token(site), **fields}, **headers)
    assert (status, "Traceback" in page) == (code, False)
    assert made.target.serial == before
    if code != 401:  # a browser asks for the password; all else a person reads
        assert "<h1>Silence an alert</h1>" in page
        assert 'href="/forecasts/demand"' in page


def test_a_form_that_was_open_for_too_long_says_so_in_the_reader_s_language(acting: tuple[PageProject, str]) -> None:
    _, site = acting
    status, page = post(f"{site}{SILENCE}?language=pt-BR", {**ORDER, "token": "1.2"})
    assert (status, "<h1>Silenciar um alerta</h1>" in page) == (403, True), page
    assert "the form is older than an hour" in page
    assert "Voltar à previsão" in page
    status, page = post(f"{site}/forecasts/demand/actions/explode?language=pt-BR", ORDER)
    assert (status, "<h1>Nada a mostrar</h1>" in page) == (404, True)


@pytest.mark.parametrize("action", ["silence", "resume", "notices", "hold"])
def test_an_action_waits_for_a_pass_that_ends_soon(
    acting: tuple[PageProject, str], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    made, _ = acting
    order = ActionOrder("demand", action, "Ana", "a promotion", alert="accuracy", span=timedelta(days=2))
    if action == "resume":
        PageActions("local").carry_out(replace(order, action="hold"))
    with ExitStack() as a_pass:
        a_pass.enter_context(made.target.lock_forecast("demand", "reconcile", "2026-01-01T00:00:00Z", 0.0))
        # The pass ends while the action waits.
        stopped_clock = SimpleNamespace(monotonic=lambda: 0.0, sleep=lambda _seconds: a_pass.close())
        monkeypatch.setattr(locking, "time", stopped_clock)
        assert "Ana (page)" in PageActions("local").carry_out(order).sentence


def test_a_token_of_another_action_or_forecast_is_none_of_this_one(acting: tuple[PageProject, str]) -> None:
    _, site = acting
    for path in ("/forecasts/demand/actions/resume", "/forecasts/orders/actions/silence"):
        assert post(site + SILENCE, {**ORDER, "token": form_token(site, path)})[0] == 403
    assert post(f"{site}/forecasts/demand/actions/destroy", ORDER)[0] == 404


def test_without_the_option_there_is_no_action(site: str) -> None:
    assert post(site + SILENCE, ORDER)[0] == 404
    assert "Silence an alert" not in fetch(Request(f"{site}/forecasts/demand"))[1]


def test_actions_need_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    code = front.run(["serve", "--allow-actions", "--host", "203.0.113.1"])  # which is no address of this machine
    assert code == Exit.USAGE
    assert "--allow-actions needs a token" in capsys.readouterr().err


@given(st.text(max_size=20), st.text(max_size=20), st.integers(-10, 10_000))
def test_a_token_holds_for_its_action_for_an_hour(action: str, other: str, seconds: int) -> None:
    tokens = FormTokens()
    token = tokens.make(action, NOW)
    later = NOW + timedelta(seconds=seconds)
    assert tokens.is_valid(token, action, later) is (0 <= seconds <= 3600)
    assert tokens.is_valid(token, other, NOW) is (action == other)
    assert not FormTokens().is_valid(token, action, NOW)
    assert not tokens.is_valid(other, action, NOW)


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_person_silences_an_alert_in_a_browser(
    acting: tuple[PageProject, str], chromium: Browser, size: tuple[int, int]
) -> None:
    made, site = acting
    with opened(
        chromium, f"{site}/forecasts/demand", size, http_credentials={"username": "ana", "password": TOKEN}
    ) as page:
        page.get_by_role("link", name="Silence an alert").click()
        assert accessibility_faults(page) == []
        assert sideways(page) <= 0
        page.get_by_label("Your name").fill("Ana")
        page.get_by_role("textbox", name="Reason").fill("a promotion")
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Silence an alert").click()
        assert "Done." in page.locator("main").inner_text()
    assert made.target.observe_forecast("demand").ledger.silences
