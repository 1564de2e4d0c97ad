"""What a person does by hand: rollback, resume and silence, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    ],
)
def test_a_name_that_is_not_there_is_refused_with_the_nearest_one(
    watched: Mlspec, words: tuple[str, ...], says: str
) -> None:
    said = watched(*words)
    assert (said.code, says in said.err) == (2, True), said.err


def test_a_forecast_without_a_spec_is_not_rolled_back(watched: Mlspec) -> None:
    Path("specs/demand.yaml").rename("specs/demand.off")
    Path("specs/other.yaml").write_text(Path("specs/demand.off").read_text().replace("name: demand", "name: other"))
    said = watched("rollback", "demand", "--reason", "x")
    assert said.code == 1
    assert "no spec under specs/ describes demand any more" in said.err
