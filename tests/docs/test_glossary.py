"""The glossary says of each metric and term what `mlspec explain` says. `ACCEPT=1` writes that into the page."""

from __future__ import annotations

import os
import re

import pytest

from mlspec.cli import main as front
from mlspec.spec.glossary import TERMS
from mlspec.spec.metrics import METRICS
from tests.docs.sessions import ROOT

PATH = ROOT / "docs" / "glossary.md"
HEADING = "\n## Terms\n"
METRIC_SECTIONS = PATH.read_text(encoding="utf-8").split(HEADING)[0]


def section(name: str) -> str:
    """Return the section of a metric."""
    return METRIC_SECTIONS.split(f"\n### {METRICS[name].title}\n", 1)[1].split("\n### ", 1)[0]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_explained_as_the_command_explains_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", name]) == 0
    block = f"```text\n{capsys.readouterr().out}```"
    (shown,) = re.findall(r"```text\n.*?```", section(name), re.DOTALL)
    if os.environ.get("ACCEPT"):
        head, told = PATH.read_text(encoding="utf-8").split(f"\n### {METRICS[name].title}\n", 1)
        text = f"{head}\n### {METRICS[name].title}\n{told.replace(shown, block, 1)}"
        PATH.write_text(text, encoding="utf-8")
        shown = block
    assert shown == block


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_has_an_example_or_a_use_of_its_own_below(name: str) -> None:
    _, _, told = section(name).rpartition("```\n")
    assert len(told.split()) > 10


def test_the_page_has_the_metrics_of_the_table_in_its_order() -> None:
    titles = re.findall(r"^### (.*)$", METRIC_SECTIONS, re.MULTILINE)
    assert titles == [metric.title for metric in METRICS.values()]


def test_the_page_has_the_terms_of_the_table_in_order() -> None:
    text = "".join(f"\n**{term}**: {meaning}\n" for term, meaning in TERMS.items())
    shown = PATH.read_text(encoding="utf-8").split(HEADING)[1]
    if os.environ.get("ACCEPT"):
        PATH.write_text(f"{PATH.read_text(encoding='utf-8').split(HEADING)[0]}{HEADING}{text}", encoding="utf-8")
        shown = text
    assert shown == text
    assert list(TERMS) == sorted(TERMS, key=str.casefold)
    assert len(TERMS) > 40


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_explained_as_the_page_explains_it(term: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert front.run(["explain", term.upper().replace(" ", "-")]) == 0
    assert f"{term}, a term\n  {TERMS[term]}\n" in capsys.readouterr().out
    assert TERMS[term].endswith((".", "`."))
