"""Photographs the server's list of a project's forecasts for the docs: `python -m tests.web.pictures PROJECT FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.web.browser import opened, started_chromium
from tests.web.page_site import PageProject, serving_pages


def take_picture(root: Path, folder: Path) -> None:
    """Write `fleet.png`."""
    with (
        serving_pages(PageProject(root)) as site,
        started_chromium() as browser,
        opened(browser, f"{site}/", (1180, 480)) as page,
    ):
        page.screenshot(path=folder / "fleet.png")


if __name__ == "__main__":
    take_picture(Path(sys.argv[1]).resolve(), Path(sys.argv[2]))
