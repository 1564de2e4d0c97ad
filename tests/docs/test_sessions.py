"""Every command that a page shows runs, and prints what the page shows. `ACCEPT=1` writes this run's figures into the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.clock import utc_now
from tests.docs.figures import Names
from tests.docs.sessions import ROOT, Mismatch, Terminal, compare, lay_clone, read_commands, start_of

PAGES = {
    path.relative_to(ROOT).as_posix(): text
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if read_commands(text := path.read_text(encoding="utf-8"))
}
# Pages that begin where another one ends run in one process, which keeps where that one ended.
CHAINED = {page for page in PAGES if start_of(PAGES[page]) in PAGES} | {start_of(text) for text in PAGES.values()}
ACCEPT = bool(os.environ.get("ACCEPT"))
Ended = tuple[Path, Names]


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ended]:
    """Run the session of a page once; return the folder in which it ended, and the versions that it named."""
    ended: dict[str, Ended] = {}

    def play_page(page: str) -> Ended:
        if page not in ended:
            folder = tmp_path_factory.mktemp("session") / "project"
            start, names = start_of(PAGES[page]), Names(exact=ACCEPT)
            if start in PAGES:
                before, earlier = play_page(start)
                names = Names(ACCEPT, dict(earlier.ours), dict(earlier.theirs))
                shutil.copytree(before.parent, folder.parent, symlinks=True, dirs_exist_ok=True)
            elif start:
                lay_clone(folder)
            else:
                folder.mkdir()
                lay_clone(folder.parent / "mlspec")
            _play(page, folder, names)
            ended[page] = folder, names
        return ended[page]

    return play_page


def _play(page: str, folder: Path, names: Names) -> None:
    terminal = Terminal(folder, folder.parent)
    for command in read_commands(PAGES[page]):
        code, printed = terminal.run(command.line)
        assert code == 0, f"{page}: $ {command.line}\nended with {code}:\n" + "\n".join(printed)
        wrong = compare(command.shown, printed, names, utc_now())
        if wrong and ACCEPT:
            wrong = _accept(ROOT / page, wrong)
        assert not wrong, f"{page}: $ {command.line}\n{wrong}\nof what was printed:\n" + "\n".join(printed)


def _accept(page: Path, wrong: list[Mismatch]) -> list[Mismatch]:
    """Write into the page what was printed; return the lines of which nothing like them was."""
    text = page.read_text(encoding="utf-8")
    for mismatch in wrong:
        if mismatch.meant is not None:
            text = text.replace(f"\n{mismatch.shown}\n", f"\n{mismatch.meant}\n", 1)
    page.write_text(text, encoding="utf-8")
    return [mismatch for mismatch in wrong if mismatch.meant is None]


@pytest.mark.no_cover  # its commands are processes; other tests go each part of them
@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.xdist_group("docs") if page in CHAINED else ()) for page in PAGES],
)
def test_a_page_is_a_session_that_runs(page: str, play: Callable[[str], Ended]) -> None:
    folder, _ = play(page)
    assert folder.is_dir()


def test_the_pages_that_teach_have_a_session() -> None:
    assert {"README.md", "docs/data.md", "docs/own-model.md", "docs/ci.md", "docs/google-cloud.md"} <= set(PAGES)
    assert sum(len(read_commands(text)) for text in PAGES.values()) >= 30
