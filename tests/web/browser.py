"""One Chromium for all tests of pages: Debian's, driven by Playwright, with axe for what people with disabilities meet."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.tools import needs
from tests.waiting import until

if TYPE_CHECKING:  # Playwright takes seconds to import, and most processes that run tests open no page
    from playwright.sync_api import Browser, Page

DESKTOP, PHONE = (1200, 900), (375, 800)
SMALLEST_TEXT = """() => Math.min(...[...document.querySelectorAll('body *')].filter(each =>
  each.checkVisibility() && [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
  .map(each => parseFloat(getComputedStyle(each).fontSize)
    * (each.ownerSVGElement ? each.ownerSVGElement.getScreenCTM().a : 1)))"""


@contextmanager
def started_chromium() -> Iterator[Browser]:
    """Start it; without its sandbox for root, who cannot have one."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    program = needs("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=flags)
        yield browser
        browser.close()


@dataclass(frozen=True)
class BrowserThread:
    """A browser and the one thread that may use it.

    Playwright switches stacks (greenlets) where it waits, after which Python 3.11 refuses to parse source in that thread ("AST
    constructor recursion depth mismatch"): pytest and hypothesis do so in theirs.
    """

    pool: ThreadPoolExecutor
    browser: Browser

    def call(self, work: Callable[..., Any], **words: Any) -> Any:
        """Return what `work` does there."""
        return self.pool.submit(work, **words).result()


@contextmanager
def browser_thread() -> Iterator[BrowserThread]:
    """Start Chromium in a thread of its own."""
    needs("chromium")  # a test is skipped by its own thread
    with ThreadPoolExecutor(1) as pool:
        started = started_chromium()
        yield BrowserThread(pool, pool.submit(started.__enter__).result())
        pool.submit(started.__exit__, None, None, None).result()


@contextmanager
def opened(browser: Browser, address: str, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Page]:
    """Open a page, and hold that nothing on it fails and nothing is blocked.

    A page whose numbers are still measured asks for itself again. It is opened once it no longer does, so that it stays.
    """
    said: list[str] = []
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, accept_downloads=True, **options)
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    until(lambda: "refresh" not in answered_headers(page, address))
    yield page
    context.close()
    assert said == []


def answered_headers(page: Page, address: str) -> dict[str, str]:
    """Go to an address, and return the headers of its answer: none of a file's."""
    answer = page.goto(address)
    return answer.headers if answer else {}


def accessibility_faults(page: Page) -> list[str]:
    """Return what axe finds, each with the element. The script is run in the page as a debugger does, past its policy."""
    from axe_playwright_python.sync_playwright import Axe

    found = page.evaluate(
        "async source => { (0, eval)(source); return (await axe.run()).violations; }", Axe().axe_script
    )
    return [f"{fault['id']}: {node['html'][:120]}" for fault in found for node in fault["nodes"]]


def sideways(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    width: int = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width
