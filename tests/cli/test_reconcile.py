"""The loop on the command line: what a person reads of a pass, and of how forecasts turned out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_plan_apply import quick
from tests.cli.test_session import Mlspec, mlspec
from tests.engine.steps import Steps

__all__ = ["mlspec", "quick"]  # fixtures


@pytest.fixture
def watched(mlspec: Mlspec, quick: Steps) -> Mlspec:
    """A project whose forecast has an alert that fires."""
    path = Path("specs/demand.yaml")
    path.write_text(path.read_text() + "alerts: [{name: accuracy, metric: wape, above: 0.05}]\n")
    return mlspec


def test_a_pass_says_that_an_alert_fires_and_says_it_once(watched: Mlspec) -> None:
    said = watched("reconcile", "--once")
    assert said.code == 0, said.err
    assert "demand: alert accuracy is firing: wape is 0.1, above 0.05" in said.out
    (again,) = json.loads(watched("reconcile", "--once", "--output", "json").out)["forecasts"]
    assert (again["status"], again["heard"]) == ("nothing", [])


def test_status_tells_of_an_alert_once(watched: Mlspec) -> None:
    watched("reconcile", "--once")
    assert watched("status").out.count("wape is 0.1, above 0.05") == 1


def test_status_tells_how_forecasts_turned_out_and_how_far_ahead(watched: Mlspec) -> None:
    watched("reconcile", "--once")
    assert "demand: realised WAPE 10.0%; by periods ahead: 10.0% at 1, 20.0% at 2" in watched("status").out
    (found,) = json.loads(watched("status", "--output", "json").out)["forecasts"]
    assert found["realised"]["wape"] == pytest.approx(0.1)
    assert [each["step"] for each in found["realised_by_horizon"]] == [1, 2]
