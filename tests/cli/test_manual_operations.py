"""What a person does by hand: rollback, hold, resume and silence, and what is refused."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from mlspec.targets.local.target import LocalTarget
from tests.cli.test_session import Mlspec, mlspec  # noqa: F401  (the fixture)

ALERTS = "alerts: [{name: accuracy, metric: wape, above: 0.5}]\n"


@pytest.fixture
def watched(mlspec: Mlspec) -> Mlspec:  # noqa: F811
    """A forecast with one alert, applied."""
    spec = Path("specs/demand.yaml")
    spec.write_text(spec.read_text() + ALERTS)
    assert mlspec("apply").code == 0
    return mlspec


def test_an_alert_is_silenced_for_a_while_with_a_reason(watched: Mlspec) -> None:
    said = watched("silence", "demand", "accuracy", "--for", "2d", "--reason", "stock-taking")
    assert said.code == 0
    assert said.out.startswith("demand: accuracy is silent until 2")
    events = json.loads(watched("history", "demand", "--output", "json").out)["events"]
    assert any("stock-taking" in event["message"] for event in events)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("silence", "demand", "acuracy", "--for", "2d", "--reason", "x"), "did you mean 'accuracy'?"),
        (("silence", "demand", "accuracy", "--for", "0s", "--reason", "x"), "--for has to be longer than 0"),
        (("silence", "demnd", "accuracy", "--for", "2d", "--reason", "x"), "did you mean 'demand'?"),
        (("resume", "demnd"), "did you mean 'demand'?"),
        (("rollback", "demnd", "--reason", "x"), "did you mean 'demand'?"),
        (("rollback", "demnd", "--preview"), "did you mean 'demand'?"),
        (("rollback", "demand"), "a rollback needs a reason"),
        (("hold", "demnd", "--reason", "x"), "did you mean 'demand'?"),
    ],
)
def test_a_name_that_is_not_there_is_refused_with_the_nearest_one(
    watched: Mlspec, words: tuple[str, ...], says: str
) -> None:
    said = watched(*words)
    assert (said.code, says in said.err) == (2, True), said.err


@pytest.mark.parametrize(
    "words",
    [
        ("silence", "demand", "accuracy", "--for", "2d", "--reason", "x"),
        ("resume", "demand"),
        ("resume", "demand", "--notices", "send"),
        ("hold", "demand", "--reason", "x"),
        ("rollback", "demand", "--reason", "x"),
    ],
    ids=" ".join,
)
def test_what_needs_the_lock_can_wait_for_it_as_the_hint_says(watched: Mlspec, words: tuple[str, ...]) -> None:
    with LocalTarget(Path(".mlspec")).lock_forecast("demand", "apply", "2024-03-01T00:00:00Z", 0.0):
        said = watched(*words)
        assert (said.code, "hint: wait for it with --lock-timeout 10m" in said.err) == (75, True), said.err
        assert watched(*words, "--lock-timeout", "0s").code == 75


@pytest.mark.parametrize("words", [
    ("silence", "demand", "accuracy", "--for", "2d"), ("hold", "demand"), ("rollback", "demand"),
], ids=" ".join)  # fmt: skip
def test_a_reason_is_a_line_of_text(watched: Mlspec, words: tuple[str, ...]) -> None:
    before = LocalTarget(Path(".mlspec")).serial
    for reason, says in (
        ("", "is empty"),
        (" \n ", "is empty"),
        (os.fsdecode(b"caf\xe9"), r"'\udce9'"),
        ("\x1b[31m", r"'\x1b'"),
    ):
        said = watched(*words, "--reason", reason)
        assert (said.code, "the reason" in said.err, says in said.err) == (2, True, True), said.err
    assert LocalTarget(Path(".mlspec")).serial == before


def test_a_reason_of_several_lines_is_one_in_the_history(watched: Mlspec) -> None:
    reason = "férias 🎄\n2024-01-01T00:00:00Z  RolledBack: nothing of the kind"
    assert watched("silence", "demand", "accuracy", "--for", "2d", "--reason", reason).code == 0
    (event,) = [line for line in watched("history", "demand").out.splitlines() if "RolledBack" in line]
    assert "Silenced: accuracy is silent" in event


def test_a_forecast_without_a_spec_is_not_rolled_back(watched: Mlspec) -> None:
    Path("specs/demand.yaml").rename("specs/demand.off")
    Path("specs/other.yaml").write_text(Path("specs/demand.off").read_text().replace("name: demand", "name: other"))
    said = watched("rollback", "demand", "--reason", "x")
    assert said.code == 1
    assert "no spec under specs/ describes demand any more" in said.err
    tried = watched("notify", "test", "demand")
    assert (tried.code, tried.err) == (1, said.err)
    # The other one has a spec, and nothing of it was applied.
    for words in (("forecast", "other"), ("history", "other"), ("resume", "other")):
        new = watched(*words)
        assert (new.code, new.err.splitlines()) == (2, [
            "error: there is no forecast 'other' on record",
            "hint: `mlspec apply` puts a spec's forecast on record; known: demand",
        ])  # fmt: skip


def test_a_rollback_is_looked_at_before_it_is_made(watched: Mlspec) -> None:
    spec = Path("specs/demand.yaml")
    spec.write_text(spec.read_text().replace("{kind: seasonal-naive, season: 7}", "{kind: croston}"))
    assert watched("apply").code == 0
    before = watched("status", "--output", "json").out
    said = watched("rollback", "demand", "--preview")
    assert said.code == 0, said.err
    assert re.search(r"demand: v\w+ \(seasonal-naive, release 1\) would take over from v\w+ \(croston\)", said.out)
    assert "goes into quarantine" in said.out
    assert re.search(r"^total +[0-9,.]+ +[0-9,.]+ ", said.out, re.MULTILINE)
    assert watched("status", "--output", "json").out == before
    said = watched("rollback", "demand", "--preview", "--to", "2")
    assert (said.code, "is what serves now" in said.err) == (1, True)


def test_what_serves_is_held_and_resumed(watched: Mlspec) -> None:
    said = watched("hold", "demand", "--reason", "stock-taking")
    assert (said.code, "release 1" in said.out, "stock-taking; until `mlspec resume demand`" in said.out) == (
        0,
        True,
        True,
    )
    again = watched("hold", "demand", "--reason", "x")
    assert (again.code, "is held already" in again.err) == (1, True)
    assert watched("resume", "demand").code == 0
