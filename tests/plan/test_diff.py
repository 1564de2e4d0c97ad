"""What follows from a difference between what is wanted and what is seen."""

from dataclasses import replace

from mlspec.plan import desired
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.diff import AFTER_THE_GATE, NOT_THERE, diff_fields, done_sentence, is_only_outdated, plan_changes
from mlspec.state.observed import Observed, ObservedResource, SourceFacts
from mlspec.state.plan import Change
from mlspec.state.record import FileRef
from mlspec.state.resource import Resource
from tests.examples import forecast_spec

WANTED = DesiredForecast("demand", forecast_spec(), "hash-1", SourceFacts("d1", ("data/sales.csv",), 10), "0.1.0")
MODEL = {"version": "v1", "state": "passed"}


def seen_of(wanted: DesiredForecast, version: str = "v1", **model: str) -> Observed:
    """What a target shows after `wanted` was applied."""
    return Observed(
        "demand",
        {
            "data": ObservedResource(desired.data_resource(wanted)),
            "model": ObservedResource(desired.model_resource(wanted), {**MODEL, **model}),
            "deployment": ObservedResource(desired.deployment_resource(wanted, version)),
            "forecast": ObservedResource(desired.forecast_resource(wanted, version)),
        },
    )


def actions(wanted: DesiredForecast, observed: Observed) -> dict[str, str]:
    return {change.resource.split(".")[0]: change.action for change in plan_changes(wanted, observed)}


def with_spec(**parts: object) -> DesiredForecast:
    return replace(WANTED, spec=forecast_spec(**parts), spec_hash="hash-2")


def test_nothing_there_means_everything_is_made() -> None:
    assert actions(WANTED, Observed("demand")) == {
        "data": "run",
        "model": "create",
        "deployment": "create",
        "forecast": "run",
    }


def test_what_was_applied_needs_nothing() -> None:
    assert set(actions(WANTED, seen_of(WANTED)).values()) == {"none"}


def test_new_data_is_checked_judged_and_forecast() -> None:
    newer = replace(WANTED, source=SourceFacts("d2", ("data/sales.csv",), 12))
    found = {change.resource: change for change in plan_changes(newer, seen_of(WANTED))}
    assert [change.action for change in found.values()] == ["run", "update", "update", "run"]
    assert found["data.demand"].reason == "data.digest changed: the data changed"
    assert found["deployment.demand"].after is not None
    assert found["deployment.demand"].after["version"] == AFTER_THE_GATE


def test_a_new_owner_is_a_new_release_and_no_training() -> None:
    changed = with_spec(metadata={"owner": "someone@example.com"})
    assert actions(changed, seen_of(WANTED)) == {
        "data": "none",
        "model": "none",
        "deployment": "update",
        "forecast": "none",
    }


def test_another_service_level_computes_stock_and_trains_nothing() -> None:
    changed = with_spec(inventory={"service_level": 0.9, "lead_time": 1, "review_period": 1})
    assert actions(changed, seen_of(WANTED)) == {
        "data": "none",
        "model": "none",
        "deployment": "update",
        "forecast": "run",
    }


def test_a_reason_names_fields_and_what_follows_from_them() -> None:
    changed = with_spec(model={"horizon": 5})
    judged = next(change for change in plan_changes(changed, seen_of(WANTED)) if change.resource == "model.demand")
    assert judged.reason == "model.horizon changed: checks the data, backtests and trains again"
    assert [(field.field, field.before, field.after) for field in judged.fields] == [("model.horizon", 2, 5)]


def test_a_deleted_file_is_made_again() -> None:
    observed = seen_of(WANTED)
    broken = replace(
        observed.resources["forecast"],
        files={"forecast": FileRef("a" * 64, 1, "forecast.parquet")},
        damage="forecast.parquet was deleted",
    )
    found = plan_changes(WANTED, Observed("demand", {**observed.resources, "forecast": broken}))
    assert [(change.action, change.reason) for change in found][-1] == ("run", "forecast.parquet was deleted")


def test_containers_that_bring_other_data_along_are_deployed_after_all_other_changes() -> None:
    observed = seen_of(WANTED)
    outdated = replace(observed.resources["deployment"], outdated="v1 answers from other data")
    observed = replace(observed, resources={**observed.resources, "deployment": outdated})
    deployment = plan_changes(WANTED, observed)[2]
    assert (deployment.action, deployment.reason) == ("update", "v1 answers from other data")
    assert is_only_outdated(deployment, observed)
    assert not is_only_outdated(plan_changes(with_spec(metadata={"owner": "sales"}), observed)[2], observed)
    damaged = replace(outdated, damage="the endpoint does not exist")
    observed = replace(observed, resources={**observed.resources, "deployment": damaged})
    assert not is_only_outdated(plan_changes(WANTED, observed)[2], observed)


def test_what_the_gate_kept_out_is_not_tried_again() -> None:
    found = plan_changes(WANTED, seen_of(WANTED, state="rejected"))
    assert {change.action for change in found} == {"none"}
    assert "the gate kept v1 out" in found[-1].reason


def test_differences_are_symmetric_in_what_they_name() -> None:
    before, after = {"a": 1, "b": 2}, {"b": 3, "c": 4}
    assert [change.field for change in diff_fields(before, after)] == ["a", "b", "c"]
    assert [change.field for change in diff_fields(after, before)] == ["a", "b", "c"]


def test_what_was_done_is_said_as_a_result_with_its_reason_behind_it() -> None:
    facts = {
        "data": {"cutoff": "2024-02-11"}, "model": {"version": "v2"}, "forecast": {"cutoff": "2024-02-11"},
        "deployment": {"release": 3, "traffic": {"v1": 90, "v2": 10}},
    }  # fmt: skip
    after = Observed(
        "demand",
        {kind: ObservedResource(Resource(kind, "demand", {}), found) for kind, found in facts.items()},  # type: ignore[arg-type]
    )
    said = [
        done_sentence(Change("demand", f"{kind}.demand", "run", reason), after)
        for kind, reason in (
            ("data", NOT_THERE), ("model", "the data changed"), ("deployment", "another version"), ("forecast", "it is due"),
        )
    ]  # fmt: skip
    assert said == [
        "data.demand checked, up to 2024-02-11: it did not exist",
        "model.demand passed the gate as v2: the data changed",
        "deployment.demand is release 3, served by v1 90 % and v2 10 %: another version",
        "forecast.demand made from the data up to 2024-02-11: it is due",
    ]
