"""Servers that tests share which change nothing of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.web.browser import BrowserThread, browser_thread
from tests.web.page_site import PageProject, add_release, make_project, serving_pages
from tests.web.shop import Server, Shop, serving


@pytest.fixture(scope="session")
def one_shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop of one version."""
    shop = Shop(tmp_path_factory.mktemp("one"))
    shop.look()
    return shop


@pytest.fixture(scope="session")
def page_project(tmp_path_factory: pytest.TempPathFactory) -> PageProject:
    """A project whose pages are looked at. Nothing changes it."""
    return make_project(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="session")
def three_releases(page_project: PageProject, tmp_path_factory: pytest.TempPathFactory) -> PageProject:
    """The same project with a third release of the forecast `demand`. Nothing changes it."""
    return add_release(PageProject(shutil.copytree(page_project.root, tmp_path_factory.mktemp("three") / "pages")))


@pytest.fixture(scope="session")
def site(page_project: PageProject) -> Iterator[str]:
    """The address of its pages."""
    with serving_pages(page_project) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[BrowserThread]:
    """A browser. A test that asks for it runs in the browser's thread, and gets the browser itself."""
    with browser_thread() as started:
        yield started


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test of the browser in its thread."""
    words = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
    thread = words.get("chromium")
    if not isinstance(thread, BrowserThread):
        return None
    thread.call(pyfuncitem.obj, **{**words, "chromium": thread.browser})
    return True


@pytest.fixture(scope="session")
def one(one_shop: Shop) -> Iterator[Server]:
    """A server of one version."""
    with serving(one_shop.root, "demand") as server:
        yield server


@pytest.fixture(scope="session")
def hasty(one_shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same with time-outs that a test can wait for: only for clients that are slow, as on a busy machine any may be."""
    root = tmp_path_factory.mktemp("hasty") / "shop"
    shutil.copytree(one_shop.root, root)
    quick = "from mlspec.web import connection, request_body\nrequest_body.BODY_SECONDS = 0.3\nconnection.HEADER_SECONDS = 1.0"
    with serving(root, "demand", before=quick, ready=False) as server:
        yield server
