"""The runbook has a section for each alert and each state of the code: what it means, three steps, what a rollback does."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from mlspec.engine.evaluation import STATE_BEGUN
from mlspec.spec.metrics import METRICS
from mlspec.state.ledger import AlertState
from mlspec.state.notice import Notice
from tests.docs.reasons import condition_reasons, event_reasons
from tests.docs.sessions import ROOT

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
# A heading of the third level, and what stands below it.
SECTIONS = dict(re.findall(r"^### (.*?)\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE))
TROUBLES = [title for title in SECTIONS if title != "The states of an alert"]


def cells(heading: str) -> set[str]:
    """Return the words in code that begin the rows of the table below a heading."""
    table = PAGE.split(f"# {heading}\n", 1)[1].split("\n#", 1)[0]
    return {word for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for word in re.findall(r"`([^`]+)`", row)}


def named(pattern: str, *, among: str) -> list[str]:
    """Return what the titles of sections that begin so name."""
    return [word for title in TROUBLES if title.startswith(among) for word in re.findall(pattern, title)]


@pytest.mark.parametrize("title", TROUBLES)
def test_a_section_has_a_meaning_three_steps_and_what_a_rollback_does(title: str) -> None:
    meaning, steps = SECTIONS[title].split("\n1. ", 1)
    assert meaning.strip()
    assert re.findall(r"^([0-9])\. ", f"1. {steps}", re.MULTILINE) == ["1", "2", "3"]
    assert len(re.findall(r"^A rollback: .*\.$|^A rollback: ", steps, re.MULTILINE)) == 1


def test_every_metric_that_an_alert_can_have_is_named_by_one_section() -> None:
    assert sorted(named(r"`(\w+)`", among="Alerts on ")) == sorted(METRICS)


def test_metrics_of_one_section_are_of_one_kind() -> None:
    for title in TROUBLES:
        if title.startswith("Alerts on "):
            assert len({METRICS[name].kind for name in re.findall(r"`(\w+)`", title)}) == 1


def test_every_reason_of_a_condition_is_named_by_one_section() -> None:
    reasons = condition_reasons()
    assert len(reasons) > 15  # the walk found the calls
    assert sorted(word for title in TROUBLES if not title.startswith("Alerts") for word in title.split(", ")) == sorted(
        reasons
    )


def test_every_state_of_an_alert_and_every_kind_of_notice_has_a_row() -> None:
    assert cells("The states of an alert") == set(get_args(AlertState))
    kinds = re.search(r"Literal\[(.*)\]", str(Notice.__annotations__["kind"]))
    assert kinds
    assert cells("Notices") == set(re.findall(r"[a-z]+", kinds[1]))


def test_every_event_has_a_row() -> None:
    reasons = event_reasons() | set(STATE_BEGUN)
    assert len(reasons) > 25
    assert cells("Events") == reasons
