"""No key of a spec is silent, and readiness is the sum of conditions."""

import pytest

from mlspec.plan.notes import notes
from mlspec.plan.ready import ready, why_not
from mlspec.state.record import Condition, ConditionType
from tests.examples import spec_json


def test_a_spec_without_extras_has_nothing_to_be_said_about() -> None:
    assert notes("demand", spec_json()) == ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("schedule", {"forecast": "0 6 * * *", "retrain": None, "timezone": "UTC"}, "schedule: forecast are kept"),
        (
            "deployment",
            {"serve": "online", "rollout": {"strategy": "all-at-once"}},
            "serve: online makes batch forecasts only",
        ),
        ("deployment", {"serve": "batch", "rollout": {"strategy": "canary"}}, "canary takes over all at once"),
        ("alerts", [{}, {}], "2 thresholds kept"),
        ("notify", [{}], "1 receiver kept"),
        ("rollback", {"on": ["a"]}, "no alert starts a rollback"),
        ("reconcile", {"mode": "pause", "resources": {}}, "there is no loop yet"),
        ("budget", {"trainings_per_week": 3, "monthly": None}, "there is no loop yet"),
    ],
)
def test_what_does_not_act_yet_is_said(key: str, value: object, said: str) -> None:
    (note,) = notes("demand", {**spec_json(), key: value})
    assert said in note


def condition(kind: ConditionType, status: str) -> Condition:
    return Condition("demand", kind, status, "R", f"{kind} is {status}", "t")  # type: ignore[arg-type]


GOOD = (condition("DataReady", "True"), condition("ModelReady", "True"), condition("Deployed", "True"))


def test_ready_needs_data_model_and_deployment() -> None:
    assert ready(GOOD)
    assert why_not(GOOD) == ""
    assert not ready(GOOD[:2])
    assert why_not(GOOD[:2]) == "Deployed is not known yet"


def test_what_is_unknown_is_neither_good_nor_bad() -> None:
    assert ready((*GOOD, condition("Healthy", "Unknown")))
    assert not ready((*GOOD, condition("Healthy", "False")))
    assert why_not((*GOOD, condition("Healthy", "False"))) == "Healthy is False"
    assert why_not((condition("DataReady", "Unknown"),)) == "DataReady is Unknown"
