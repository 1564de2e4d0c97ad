"""The README in Portuguese is in step with the English one: what is no prose is the same in both."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.docs.sessions import ROOT

ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
PORTUGUESE = (ROOT / "README.pt-BR.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    """Return what stands outside of blocks of code and inside of no link's address."""
    return re.sub(r"\]\([^)]*\)", "]", _BLOCK.sub("", text))


def test_the_readme_has_at_most_200_lines() -> None:
    assert len(ENGLISH.splitlines()) <= 200


def test_headings_stand_at_the_same_levels_in_the_same_order() -> None:
    levels = [re.findall(r"^(#+) ", _BLOCK.sub("", text), re.MULTILINE) for text in (ENGLISH, PORTUGUESE)]
    assert len(levels[0]) >= 6
    assert levels[0] == levels[1]


def test_blocks_of_code_are_the_same_bytes() -> None:
    blocks = [_BLOCK.findall(text) for text in (ENGLISH, PORTUGUESE)]
    assert len(blocks[0]) >= 6
    assert blocks[0] == blocks[1]


@pytest.mark.parametrize(
    ("what", "pattern"),
    [("links", r"\]\(([^)]+)\)"), ("figures", r"[0-9][0-9.,]*[0-9]|[0-9]"), ("words in code", r"`([^`\n]+)`")],
)
def test_they_have_the_same(what: str, pattern: str) -> None:
    texts = [_BLOCK.sub("", text) if what == "links" else prose(text) for text in (ENGLISH, PORTUGUESE)]
    ours, theirs = (Counter(re.findall(pattern, text)) for text in texts)
    allowed = {
        "README.md",
        "README.pt-BR.md",
        "dd/mm/yyyy",
        "dd/mm/aaaa",
    }  # each leads to the other; a form is written as readers do
    assert len(ours) >= 2
    assert {key: count for key, count in (ours - theirs).items() if key not in allowed} == {}
    assert {key: count for key, count in (theirs - ours).items() if key not in allowed} == {}


def test_every_section_has_as_many_paragraphs_and_rows() -> None:
    def shape(text: str) -> list[int]:
        sections = re.split(r"^#+ .*$", text, flags=re.MULTILINE)
        return [len([part for part in re.split(r"\n\n+", section) if part.strip()]) for section in sections]

    assert shape(ENGLISH) == shape(PORTUGUESE)
    rows = [sum(line.startswith("| ") for line in text.splitlines()) for text in (ENGLISH, PORTUGUESE)]
    assert rows[0] == rows[1] > 5
