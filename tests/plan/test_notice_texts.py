"""No key of a spec is silent, and readiness is the sum of conditions."""

from pathlib import Path

import pytest

from mlspec.plan import notes
from mlspec.plan.fields import find_owner, flatten_keys
from mlspec.plan.notes import loop_parts, schedule_note, spec_notes
from mlspec.plan.ready import is_ready, why_not_ready
from mlspec.spec.digest import resolved_json
from mlspec.spec.forecast import Forecast
from mlspec.spec.reader import read_yaml
from mlspec.state.record import Condition, ConditionType
from tests.examples import forecast_spec, spec_json


def test_a_spec_without_extras_has_nothing_to_be_said_about() -> None:
    assert spec_notes("demand", forecast_spec()) == ()


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("metadata", {"labels": {"team": "a"}}, "labels are kept"),
        ("dataset", {"actuals": {"available_after": "3d"}}, "act on dataset.actuals; "),
        ("schedule", {"forecast": "0 6 * * *"}, "act on schedule; "),
        ("deployment", {"serve": "online"}, "serve: online is `mlspec serve` on a local target"),
        ("deployment", {"rollout": {"strategy": "canary", "steps": [10, 100]}}, "act on deployment.rollout; "),
        ("deployment", {"machine": {"type": "n2-standard-8"}}, "machine is for an endpoint"),
        ("deployment", {"batch_machine": "n2-highmem-8"}, "batch_machine is for a job on Google Cloud"),
        ("training", {"machine": "n2-highmem-16"}, "machine is for a job on Google Cloud"),
        (
            "training",
            {"engine": "ray", "address": "vertex_ray://projects/1"},
            "Ray on Vertex AI asks its clients for Python 3.11",
        ),
        ("alerts", [{"name": name, "metric": "wape", "above": 0.2} for name in "ab"], "act on alerts; "),
        ("notify", [{"pubsub": "topic"}], "act on notify; "),
        ("rollback", {"on": ["a"]}, "act on rollback; "),
        ("rollback", {"cooldown": "2h"}, "act on rollback; "),
        ("reconcile", {"mode": "pause"}, "act on reconcile; "),
        ("budget", {"trainings_per_week": 3}, "act on budget; "),
    ],
)
def test_what_apply_alone_does_not_do_is_said(key: str, value: object, said: str) -> None:
    (note,) = spec_notes("demand", forecast_spec(**{key: value}))
    assert said in note


@pytest.mark.parametrize("part", [key for key, _ in notes._LOOP])
def test_the_sentence_on_the_loop_reads_the_same_for_one_part_and_for_all(
    monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """`alerts` and `dataset.actuals` are many, `schedule` is one: no verb may depend on them."""
    before = "demand: loop: `mlspec reconcile` and each run of its DAG act on "
    after = "; apply alone looks at data, model and forecast"
    monkeypatch.setattr(notes, "loop_parts", lambda _spec: (part,))
    assert spec_notes("demand", forecast_spec()) == (f"{before}{part}{after}",)
    monkeypatch.setattr(notes, "loop_parts", lambda _spec: (part, "another"))
    assert spec_notes("demand", forecast_spec()) == (f"{before}{part}, another{after}",)


def test_who_runs_a_forecast_is_said() -> None:
    schedule = {"forecast": "0 6 * * *", "retrain": None, "timezone": "Europe/Berlin"}
    assert schedule_note("demand", forecast_spec(schedule=schedule)) == (
        "demand: schedule: its DAG in Airflow keeps schedule.forecast (0 6 * * *, Europe/Berlin), and so does `mlspec reconcile`,"
        " whichever runs"
    )


def test_that_nothing_runs_a_forecast_without_a_schedule_is_said() -> None:
    said = schedule_note("demand", forecast_spec())
    assert said.startswith("demand: schedule: none, so nothing runs it by itself")


# Who and what: these show in reports and history, and act nowhere.
NAMES = {"apiVersion", "kind", "metadata.name", "metadata.owner", "metadata.description"}


def test_every_key_of_a_full_spec_acts_or_is_said_not_to() -> None:
    text = (Path(__file__).parent.parent / "spec" / "full.yaml").read_text()
    spec = Forecast.model_validate(read_yaml(text).value)
    by_itself = flatten_keys(spec_json())
    said = {note.split(": ")[1] for note in spec_notes("demand", spec)} | {
        key.split(".")[0] for key in loop_parts(spec)
    }
    asked = {
        key
        for key, value in flatten_keys(resolved_json(spec)).items()
        if by_itself.get(key) != value and key not in NAMES
    }
    silent = {key for key in asked if find_owner(key)[0] == ("deployment",)}
    assert len(silent) > 20
    assert {key for key in silent if key.split(".")[0].split("[")[0] not in said} == set()


def condition(kind: ConditionType, status: str) -> Condition:
    return Condition("demand", kind, status, "R", f"{kind} is {status}", "t")  # type: ignore[arg-type]


GOOD = (condition("DataReady", "True"), condition("ModelReady", "True"), condition("Deployed", "True"))


def test_ready_needs_data_model_and_deployment() -> None:
    assert is_ready(GOOD)
    assert why_not_ready(GOOD) == ""
    assert not is_ready(GOOD[:2])
    assert why_not_ready(GOOD[:2]) == "Deployed is not known yet"


def test_what_is_unknown_is_neither_good_nor_bad() -> None:
    assert is_ready((*GOOD, condition("Healthy", "Unknown")))
    assert not is_ready((*GOOD, condition("Healthy", "False")))
    assert why_not_ready((*GOOD, condition("Healthy", "False"))) == "Healthy is False"
    assert why_not_ready((condition("DataReady", "Unknown"),)) == "DataReady is Unknown"
