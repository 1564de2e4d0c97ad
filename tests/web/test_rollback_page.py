"""Rolling back and holding from a page: a preview, the decision of `mlspec rollback`, and what stands if it is killed."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import Request

import pytest

from mlspec.cli import action_process
from mlspec.cli.page_actions import PageActions
from mlspec.cli.target import open_engine
from mlspec.clock import utc_now
from mlspec.engine.assembly import ignore_progress
from mlspec.engine.loop import reconcile_specs
from mlspec.engine.rows import newest_run
from mlspec.errors import LostProcess
from mlspec.plan.moments import format_moment
from mlspec.render.timeline import timeline_entries
from mlspec.spec import read_specs
from mlspec.web.actions import ActionOrder
from tests.waiting import PATIENCE, until
from tests.web.browser import DESKTOP, PHONE, SMALLEST_TEXT, accessibility_faults, opened, sideways
from tests.web.page_site import PageProject, serving_pages
from tests.web.test_actions import BASIC, TOKEN, fetch, form_token, post
from tests.web.test_pages import words_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("pages")  # one project, one browser

ROLLBACK, HOLD = (f"/forecasts/demand/actions/{action}" for action in ("rollback", "hold"))
ORDER = {"author": "Ana", "reason": "looks odd", "confirmed": "yes"}


@pytest.fixture
def acting(
    three_releases: PageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[PageProject, str]]:
    """A copy of the project with three releases, and the address of its pages with actions."""
    copy = PageProject(shutil.copytree(three_releases.root, tmp_path / "copy"))
    monkeypatch.chdir(copy.root)
    monkeypatch.setattr(action_process, "ANSWER_SECONDS", PATIENCE)  # on a busy machine a rollback takes longer
    with serving_pages(copy, TOKEN, PageActions("local")) as site:
        yield copy, site


def versions(made: PageProject) -> tuple[str, str]:
    """Return the versions of the release before the newest one, and of the newest."""
    newest, before = made.target.load_releases("demand")[:2]
    return before.version, newest.version


def look(made: PageProject) -> None:
    """Make a pass of the loop."""
    engine = replace(open_engine(made.target, made.root, ignore_progress), clock=lambda: format_moment(utc_now()))
    specs = [spec for spec in read_specs([made.root / "specs"], made.root, "local").specs if spec.name == "demand"]
    (found,) = reconcile_specs(engine, specs)
    assert found.error is None, found.error


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desk", "phone"])
def test_a_person_sees_what_a_rollback_does_and_rolls_back(
    acting: tuple[PageProject, str], chromium: Browser, size: tuple[int, int]
) -> None:
    made, site = acting
    first, second = versions(made)
    with opened(
        chromium, f"{site}/forecasts/demand", size, http_credentials={"username": "ana", "password": TOKEN}
    ) as page:
        page.set_default_timeout(PATIENCE * 1000)
        page.get_by_role("link", name="Roll back").click()
        assert accessibility_faults(page) == []
        assert sideways(page) <= 0
        assert page.evaluate(SMALLEST_TEXT) >= 11
        sides = page.locator("#sides tbody tr").all_inner_texts()
        assert [(name in text, kind in text) for text, name, kind in zip(
            sides, (second, first), ("croston", "seasonal-naive"), strict=True
        )] == [(True, True)] * 2  # fmt: skip
        assert "14 of 14 series change" in page.locator("main").inner_text()
        assert page.locator("table.changes tbody tr").count() == 15
        assert f"{second} goes into quarantine" in page.locator("main").inner_text()
        before = page.locator("table.changes tbody tr").first.locator("td").nth(1).inner_text()
        page.get_by_label("Your name").fill("Ana")
        page.get_by_role("textbox", name="Reason").fill("looks odd")
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Roll back").click()
        page.wait_for_selector("[role=status]")
        assert f"{second} was replaced by {first} (release 2), by Ana (page): looks odd" in page.inner_text("main")
    observed, run = made.target.observe_forecast("demand"), newest_run(made.target, "demand")
    assert observed.find_fact("deployment", "traffic") == {first: 100}
    assert (run.version, observed.ledger.quarantined_versions) == (first, {second})
    assert (observed.ledger.hold is not None, observed.ledger.hold and observed.ledger.hold.by) == (True, "Ana (page)")
    total = sum(row.forecast or 0 for row in made.overview().series)
    assert float(before.replace(",", "")) == pytest.approx(total, rel=0.001)  # the preview said what came


def test_the_preview_refuses_in_the_words_of_the_command(acting: tuple[PageProject, str]) -> None:
    made, site = acting
    for path, code, words in (
        (f"{ROLLBACK}?to=3", 409, "is what serves now"),
        (f"{ROLLBACK}?to=9", 404, "demand has no release 9"),
        (f"{ROLLBACK}?to=1e9", 400, "is no number of a release"),
        ("/forecasts/orders/actions/rollback", 409, "there is no earlier good release to roll back to"),
    ):
        status, page = fetch(Request(site + path, headers={"authorization": BASIC}))
        assert (status, words in words_of(page)) == (code, True), words_of(page)
    assert fetch(Request(site + ROLLBACK))[0] == 401
    assert made.target.observe_forecast("demand").ledger.hold is None


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ({"serves": "v000000000"}, 409, "took over from v000000000 meanwhile, so nothing was rolled back"),
        ({"release": "3"}, 409, "is what serves now"),
        ({"release": "x"}, 400, "does not say what to go back to"),
        ({"confirmed": ""}, 400, "was not confirmed"),
        ({"reason": ""}, 400, "the reason is empty"),
        ({"token": "1.2"}, 403, ""),
    ],
)
def test_a_rollback_that_is_not_the_one_that_was_shown_changes_nothing(
    acting: tuple[PageProject, str], fields: dict[str, str], code: int, words: str
) -> None:
    made, site = acting
    shown = {"release": "2", "serves": versions(made)[1], "token": form_token(site, ROLLBACK)}
    before = made.target.serial
    status, page = post(site + ROLLBACK, {**ORDER, **shown, **fields})
    assert (status, words in words_of(page), "Traceback" in page) == (code, True, False), words_of(page)
    assert made.target.serial == before


def test_a_hold_from_a_page_keeps_what_serves_until_a_person_resumes(acting: tuple[PageProject, str]) -> None:
    made, site = acting
    _, second = versions(made)
    status, page = post(site + HOLD, {**ORDER, "token": form_token(site, HOLD)})
    assert (status, "release 3" in page, "is held by Ana (page): looks odd" in page) == (200, True, True)
    hold = made.target.observe_forecast("demand").ledger.hold
    assert hold is not None
    assert (hold.version, hold.by, hold.reason) == (second, "Ana (page)", "looks odd")
    assert made.target.load_events("demand")[0].reason == "Held"
    status, page = post(site + HOLD, {**ORDER, "token": form_token(site, HOLD)})
    assert (status, "is held already, by Ana (page)" in page) == (409, True)


def order(made: PageProject) -> ActionOrder:
    return ActionOrder("demand", "rollback", "Ana", "looks odd", release=2, serves=versions(made)[1])


def test_a_rollback_that_is_killed_before_it_moves_traffic_changed_nothing(
    three_releases: PageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PageProject(shutil.copytree(three_releases.root, tmp_path / "copy"))
    monkeypatch.chdir(made.root)
    before, started = made.target.serial, children(monkeypatch)
    errors: list[Exception] = []
    with made.target.lock_forecast("demand", "test", format_moment(utc_now()), 1.0):  # it waits, until it is killed
        thread = threading.Thread(target=lambda: errors.append(failure_of(made)))
        thread.start()
        until(lambda: bool(started))
        os.kill(started[0], signal.SIGKILL)
        thread.join()
    assert isinstance(errors[0], LostProcess)
    assert "ended with -9" in str(errors[0])
    assert made.target.serial == before


def test_a_rollback_that_is_killed_after_it_moved_traffic_is_finished_by_the_next_pass(
    three_releases: PageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PageProject(shutil.copytree(three_releases.root, tmp_path / "copy"))
    monkeypatch.chdir(made.root)
    first, second = versions(made)
    started = children(monkeypatch)
    thread = threading.Thread(target=failure_of, args=(made,))
    thread.start()
    until(lambda: made.target.observe_forecast("demand").ledger.hold is not None)
    with suppress(ProcessLookupError):  # the forecast may be made already: then there is nothing to finish
        os.kill(started[0], signal.SIGKILL)
    thread.join()
    observed = made.target.observe_forecast("demand")
    assert observed.find_fact("deployment", "traffic") == {first: 100}
    assert observed.ledger.quarantined_versions == {second}
    look(made)
    assert newest_run(made.target, "demand").version == first
    assert [release.version for release in made.target.load_releases("demand")][:3] == [first, second, first]


def failure_of(made: PageProject) -> Exception:
    """Roll back as a page orders it, and return the error; a Refused if there is none."""
    try:
        PageActions("local").carry_out(order(made))
    except Exception as error:  # noqa: BLE001
        return error
    return RuntimeError("it was not killed")


def children(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which each process is added that a rollback from a page starts."""
    started: list[int] = []
    real = action_process.subprocess.Popen

    def popen(*words: object, **options: object) -> object:
        process = real(*words, **options)  # type: ignore[call-overload]
        started.append(process.pid)
        return process

    monkeypatch.setattr(action_process.subprocess, "Popen", popen)
    return started


def test_a_rollback_that_fails_after_it_was_accepted_is_on_the_page_of_its_forecast(
    acting: tuple[PageProject, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, site = acting
    monkeypatch.setattr(action_process, "ANSWER_SECONDS", 0.0)
    shown = {"release": "2", "serves": "v0000000000", "token": form_token(site, ROLLBACK)}
    assert post(site + ROLLBACK, {**ORDER, **shown})[0] == 202
    until(lambda: "RollbackFailed" in {event.reason for event in made.target.load_events("demand")})
    (event,) = [event for event in made.target.load_events("demand") if event.reason == "RollbackFailed"]
    assert event.type == "Warning"
    assert event.message.startswith("the rollback by Ana (page): looks odd has failed: ")
    assert timeline_entries([event])[0][0].kind == "trouble"


def test_a_rollback_that_outlives_its_server_records_its_failure_itself(
    three_releases: PageProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = PageProject(shutil.copytree(three_releases.root, tmp_path / "copy"))
    monkeypatch.chdir(made.root)
    words = {
        "target": "local", "forecast": "demand", "release": 2, "serves": "v0000000000", "author": "Ana (page)", "reason": "odd",
    }  # fmt: skip
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(words)))
        monkeypatch.setattr("sys.stdout", gone)
        action_process.main()
    (event,) = [event for event in made.target.load_events("demand") if event.reason == "RollbackFailed"]
    assert event.message.startswith("the rollback by Ana (page): odd has failed: ")


def test_a_rollback_that_takes_longer_than_a_browser_waits_goes_on(
    acting: tuple[PageProject, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, site = acting
    first, second = versions(made)
    monkeypatch.setattr(action_process, "ANSWER_SECONDS", 0.0)
    shown = {"release": "2", "serves": second, "token": form_token(site, ROLLBACK)}
    status, page = post(site + ROLLBACK, {**ORDER, **shown})
    assert (status, "It goes on in a process of its own" in page) == (202, True)
    until(lambda: newest_run(made.target, "demand").version == first)
    assert re.search(
        "held by Ana", words_of(fetch(Request(f"{site}/forecasts/demand", headers={"authorization": BASIC}))[1])
    )
