"""The sessions of the pages, each of which runs once however many tests look at where it ended."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mlspec.clock import utc_now
from tests.docs.figures import Names
from tests.docs.sessions import PAGES, ROOT, Mismatch, Terminal, compare, lay_clone, read_commands, start_of
from tests.preloaded import Preloaded

ACCEPT = bool(os.environ.get("ACCEPT"))
Ended = tuple[Path, Names]


@pytest.fixture(scope="session")
def play(tmp_path_factory: pytest.TempPathFactory, preloaded: Preloaded) -> Callable[[str], Ended]:
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
            _play(page, Terminal(folder, folder.parent, preloaded.folder), names)
            ended[page] = folder, names
        return ended[page]

    return play_page


def _play(page: str, terminal: Terminal, names: Names) -> None:
    for command in read_commands(PAGES[page]):
        code, printed = terminal.run(command.line)
        assert code == 0, f"{page}: $ {command.line}\nended with {code}:\n" + "\n".join(printed)
        wrong = compare(command.shown, printed, names, utc_now())
        if wrong and ACCEPT:
            wrong = _accept(ROOT / page, wrong)
        assert not wrong, f"{page}: $ {command.line}\n{wrong}\nof what was printed:\n" + "\n".join(printed)


def _accept(page: Path, wrong: list[Mismatch]) -> list[Mismatch]:
    """Write into the page, and its translation, what was printed; return the lines of which nothing like them was."""
    for path in filter(Path.exists, (page, page.with_suffix(".pt-BR.md"))):
        text = path.read_text(encoding="utf-8")
        for mismatch in wrong:
            if mismatch.meant is not None:
                text = text.replace(f"\n{mismatch.shown}\n", f"\n{mismatch.meant}\n", 1)
        path.write_text(text, encoding="utf-8")
    return [mismatch for mismatch in wrong if mismatch.meant is None]
