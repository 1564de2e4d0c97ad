"""Every command that a page shows runs, and prints what the page shows. `ACCEPT=1` writes this run's figures into the pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.docs.conftest import Ended
from tests.docs.sessions import PAGES, first_page, read_commands


@pytest.mark.no_cover  # its commands are processes; other tests go each part of them
@pytest.mark.parametrize(
    "page",
    # Pages that begin where another one ends run in one process, which keeps where that one ended.
    [pytest.param(page, marks=pytest.mark.xdist_group(f"docs {first_page(page)}")) for page in PAGES],
)
def test_a_page_is_a_session_that_runs(page: str, play: Callable[[str], Ended]) -> None:
    folder, _ = play(page)
    assert folder.is_dir()


def test_the_pages_that_teach_have_a_session() -> None:
    assert {"README.md", "docs/data.md", "docs/own-model.md", "docs/ci.md", "docs/google-cloud.md"} <= set(PAGES)
    assert sum(len(read_commands(text)) for text in PAGES.values()) >= 30
