"""`mlspec notify test`: one notice to each receiver, what was answered, and nothing recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlspec.targets.local.secrets import secret_variable
from mlspec.targets.notify import pagerduty
from tests.cli.test_session import Mlspec, mlspec
from tests.notify.strict import judge_pagerduty, judge_slack, judge_teams, strictly_receiving
from tests.notify.test_chat import KEY, SLACK, TEAMS

__all__ = ["mlspec"]  # a fixture
RECEIVERS = """
notify:
  - {slack: {secret: demand-slack}, severity: critical}
  - {teams: {secret: demand-teams}, severity: warning}
  - {pagerduty: {secret: demand-pager}}
"""


SETTINGS = "webhooks: {private_networks: [127.0.0.0/8]}\nexternal_url: https://forecasts.example.com\n"


@pytest.fixture
def receivers(mlspec: Mlspec) -> Mlspec:
    path = Path("specs/demand.yaml")
    path.write_text(path.read_text() + RECEIVERS)
    Path("mlspec.yaml").write_text(Path("mlspec.yaml").read_text() + SETTINGS)
    return mlspec


def test_each_receiver_gets_one_test_and_what_it_answered_is_said(
    receivers: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        strictly_receiving(judge_slack, 200) as slack, strictly_receiving(judge_teams, 202) as teams,
        strictly_receiving(judge_pagerduty, 202) as pager,
    ):  # fmt: skip
        monkeypatch.setitem(pagerduty.HOSTS, "us", pager.url())
        monkeypatch.setenv(secret_variable("demand-slack"), slack.url(SLACK))
        monkeypatch.setenv(secret_variable("demand-teams"), teams.url("/gone"))
        monkeypatch.setenv(secret_variable("demand-pager"), KEY)
        said = receivers("notify", "test", "demand")
        assert said.code == 1
        assert said.out.splitlines() == [
            "slack:demand-slack: accepted: it answered 200", "teams:demand-teams: refused: it answered 404",
            "pagerduty:demand-pager: accepted: it answered 202",
        ]  # fmt: skip
        assert "this is a test of `mlspec notify test`" in slack.accepted[0][1]["text"]
        assert "https://forecasts.example.com/forecasts/demand" in slack.accepted[0][1]["blocks"][-1]["text"]["text"]
        monkeypatch.setenv(secret_variable("demand-teams"), teams.url(TEAMS))
        only = receivers("notify", "test", "demand", "--receiver", "teams", "--output", "json")
        assert only.code == 0
        assert json.loads(only.out)["receivers"] == [
            {"receiver": "teams:demand-teams", "accepted": True, "answer": "it answered 202"}
        ]
    assert [len(slack.accepted), len(teams.accepted)] == [1, 1]
    assert [body["event_action"] for _, body in pager.accepted] == ["trigger", "resolve"]
    assert not Path(".mlspec/state.db").exists()


def test_a_secret_that_is_missing_is_named_and_the_others_are_tried(
    receivers: Mlspec, monkeypatch: pytest.MonkeyPatch
) -> None:
    with strictly_receiving(judge_slack, 200) as slack:
        monkeypatch.setenv(secret_variable("demand-slack"), slack.url(SLACK))
        said = receivers("notify", "test", "demand")
    assert (said.code, said.out.count("there is no secret"), len(slack.accepted)) == (1, 2, 1)
    assert "MLSPEC_SECRET_DEMAND_TEAMS" in said.out


def test_a_call_that_names_no_receiver_is_refused(mlspec: Mlspec, receivers: Mlspec) -> None:
    said = receivers("notify", "test", "demand", "--receiver", "email")
    assert (said.code, "no receiver of the kind 'email'" in said.err) == (2, True)
    path = Path("specs/demand.yaml")
    path.write_text(path.read_text() + "  - {slack: {secret: another-slack}}\n")
    said = receivers("notify", "test", "demand", "--receiver", "x")
    assert "known: slack, teams, pagerduty\n" in said.err
    path.write_text(path.read_text().partition("\nnotify:")[0])
    said = mlspec("notify", "test", "demand")
    assert (said.code, "names no receiver" in said.err) == (2, True)
    said = mlspec("notify", "test", "demnd")
    assert (said.code, "did you mean 'demand'" in said.err) == (2, True)
