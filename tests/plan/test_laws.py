"""Laws of the diff, whatever the spec says: what was applied needs nothing, and what a plan promises is what comes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mlspec.plan import desired
from mlspec.plan.desired import DesiredForecast
from mlspec.plan.diff import AFTER_THE_GATE, plan_changes
from mlspec.plan.fields import OWNERS, find_owner, flatten_keys
from mlspec.spec.digest import digest_values, resolved_json
from mlspec.spec.stored import read_stored_spec
from mlspec.state.observed import Observed, ObservedResource, SourceFacts
from mlspec.state.plan import Change
from mlspec.state.resource import KINDS, Kind, Resource
from tests.examples import spec_json


@st.composite
def wanteds(draw: st.DrawFn) -> DesiredForecast:
    """A forecast as a spec might want it: any of the keys that a person changes, in any mixture."""
    spec: dict[str, Any] = spec_json()
    spec["model"]["horizon"] = draw(st.sampled_from([2, 3]))
    spec["model"]["gate"] = draw(st.sampled_from([[], [{"metric": "wape", "below": 0.9}]]))
    spec["dataset"]["frequency"] = draw(st.sampled_from(["D", "h"]))
    spec["dataset"]["checks"]["completeness"] = draw(st.sampled_from([None, {"min": 0.9}]))
    spec["metadata"]["owner"] = draw(st.sampled_from([None, "planner@example.com"]))
    spec["alerts"] = draw(st.sampled_from([[], [{"name": "a", "metric": "wape", "above": 0.2}]]))
    spec["inventory"] = draw(st.sampled_from([None, {"service_level": 0.9, "lead_time": 1, "review_period": 1}]))
    source = SourceFacts(draw(st.sampled_from(["d1", "d2"])), ("data/sales.csv",), 10)
    return DesiredForecast(
        "demand", read_stored_spec(spec), repr(spec), source, draw(st.sampled_from(["0.1.0", "0.2.0"]))
    )


def carried_out(plan: tuple[Change, ...], before: Observed, version: str) -> Observed:
    """What a target shows when every change of a plan was made as it says, and the gate let `version` pass."""
    seen = dict(before.resources)
    for change in plan:
        if change.action == "none":
            continue
        kind: Kind = next(kind for kind in KINDS if change.resource == f"{kind}.demand")
        fields = {key: version if value == AFTER_THE_GATE else value for key, value in (change.after or {}).items()}
        facts = {"version": version, "state": "passed"} if kind == "model" else {}
        seen[kind] = ObservedResource(Resource(kind, "demand", fields), facts)
    return Observed("demand", seen)


@given(wanteds())
def test_what_was_applied_needs_nothing(wanted: DesiredForecast) -> None:
    applied = carried_out(plan_changes(wanted, Observed("demand")), Observed("demand"), "v1")
    assert {change.action for change in plan_changes(wanted, applied)} == {"none"}


@given(wanteds(), wanteds())
def test_what_a_plan_promises_is_what_is_wanted_and_leaves_nothing_to_do(
    first: DesiredForecast, second: DesiredForecast
) -> None:
    before = carried_out(plan_changes(first, Observed("demand")), Observed("demand"), "v1")
    plan = plan_changes(second, before)
    retrained = plan[1].action != "none"
    after = carried_out(plan, before, "v2" if retrained else "v1")
    assert {change.action for change in plan_changes(second, after)} == {"none"}
    version = "v2" if retrained else "v1"
    for resource in (
        desired.data_resource(second), desired.model_resource(second), desired.deployment_resource(second, version),
        desired.forecast_resource(second, version),
    ):  # fmt: skip
        assert after.resources[resource.kind].resource == resource


@given(wanteds(), wanteds())
def test_every_change_says_which_fields_differ_and_what_follows(
    first: DesiredForecast, second: DesiredForecast
) -> None:
    before = carried_out(plan_changes(first, Observed("demand")), Observed("demand"), "v1")
    for change in plan_changes(second, before):
        differ = {
            key
            for key in (change.before or {}) | (change.after or {})
            if _at(change.before, key) != _at(change.after, key)
        }
        assert {field.field for field in change.fields} == differ
        assert (change.action != "none") == bool(differ)
        assert all(field.effect for field in change.fields)


def _at(fields: Any, key: str) -> Any:
    return (fields or {}).get(key)


@given(wanteds())
def test_every_key_of_a_spec_shapes_something(wanted: DesiredForecast) -> None:
    """A key of a later release that has its default is left out: an upgrade changes nothing by itself."""
    held = {key for kind in KINDS for key in wanted.spec_fields(kind)}
    assert held == set(flatten_keys(digest_values(resolved_json(wanted.spec))))


def test_the_longest_row_that_fits_counts_whatever_the_order() -> None:
    assert find_owner("dataset.source.uri") == OWNERS[0][1:]
    assert find_owner("dataset.sourcery")[0] == ("data", "model")
