"""Carrying out terraform's plan: what may be gone on with is, a bounded number of times, and whoever stops it is told the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mlspec.engine.infrastructure import Infrastructure
from mlspec.engine.terraform_apply import PAUSES, apply_with_retries
from mlspec.errors import MlspecError, StalePlan, StoppedPartWay, TargetError
from mlspec.state.diagnostic import Diagnostic
from mlspec.state.plan import Change

MUCH = Diagnostic('Error: googleapi: Error 429: too many, "retryDelay": "34s"', "google_service_account.train")
METRIC = Diagnostic(
    'Error: Error creating AlertPolicy: googleapi: Error 404: Cannot find metric(s) that match type = "custom.googleapis.com/mlspec'
    '/value". If a metric was created recently, it could take up to 10 minutes to become available. Please try again soon.',
    "google_monitoring_alert_policy.accuracy",
)
API = Diagnostic(
    "Error: Error creating Topic: googleapi: Error 403: Cloud Pub/Sub API has not been used in project 1 before or it is disabled."
    " If you enabled this API recently, wait a few minutes for the action to propagate and retry., accessNotConfigured",
    "google_pubsub_topic.alerts",
)
ACTS_AS = Diagnostic(
    "Error: Error creating Job: googleapi: Error 403: Permission 'iam.serviceaccounts.actAs' denied on service account"
    " demand-train@acme-prod.iam.gserviceaccount.com (or it may not exist).",
    "google_cloud_run_v2_job.step",
)
DENIED = Diagnostic(
    "Error: googleapi: Error 403: Permission 'pubsub.topics.create' denied", "google_pubsub_topic.alerts"
)
HERE = Path("demand")


class Refusing:
    """A terraform whose applies end as they are told, and then well."""

    def __init__(self, *ends: tuple[Diagnostic, ...], plans: bool = True) -> None:
        self.ends, self.plans = list(ends), plans
        self.applied: list[bool] = []
        self.waited: list[float] = []

    def apply(self, folder: Path, *, slower: bool = False) -> tuple[Diagnostic, ...]:
        self.applied.append(slower)
        return self.ends.pop(0) if self.ends else ()

    def is_planned_apart(self, folder: Path) -> bool:
        return False

    def show_plan(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Any]:
        if not self.plans:
            raise TargetError("terraform plan failed: Error 429")
        return {}

    def apply_error(self, folder: Path, errors: Sequence[Diagnostic], why: str | None) -> MlspecError:
        return TargetError(errors[0].text, hint=why)

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    def plan(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def show_state(self, folder: Path) -> Mapping[str, Any]:
        return {}

    def destroy(self, folder: Path, protected: Sequence[str], image: str | None) -> None:
        raise AssertionError("nothing is destroyed here")


def test_it_goes_on_one_by_one_after_the_delay_that_google_names() -> None:
    terraform = Refusing((MUCH,))
    apply_with_retries(terraform, HERE, print)
    assert (terraform.applied, terraform.waited) == ([False, True], [34.0])


def test_it_ends_in_terraforms_words_after_as_many_pauses_as_there_are() -> None:
    terraform = Refusing(*[(MUCH,)] * 9)
    with pytest.raises(TargetError, match="Error 429"):
        apply_with_retries(terraform, HERE, print)
    assert len(terraform.applied) == 1 + len(PAUSES)


def test_it_waits_until_what_was_just_made_has_reached_all_of_google() -> None:
    told: list[str] = []
    terraform = Refusing((METRIC,), (METRIC,), (METRIC, API))
    apply_with_retries(terraform, HERE, told.append)
    assert (terraform.applied, terraform.waited) == ([False] * 4, [15.0, 30.0, 60.0])
    assert told[0] == "  waiting for a metric to become available: terraform continues in 15 s"


@pytest.mark.parametrize(("error", "longest"), [(METRIC, 600), (API, 300), (ACTS_AS, 420)])
def test_it_waits_no_longer_than_google_says_that_it_takes(error: Diagnostic, longest: float) -> None:
    terraform = Refusing(*[(error,)] * 99)
    with pytest.raises(TargetError, match="Error 40"):
        apply_with_retries(terraform, HERE, print)
    assert longest <= sum(terraform.waited) < longest + 60


def test_a_right_that_is_missing_is_not_waited_for() -> None:
    terraform = Refusing((DENIED,), (METRIC, DENIED))
    with pytest.raises(TargetError, match="denied"):
        apply_with_retries(terraform, HERE, print)
    assert terraform.waited == []


def test_where_it_cannot_be_planned_again_the_first_error_is_told_and_why() -> None:
    with pytest.raises(TargetError, match="too many") as caught:
        apply_with_retries(Refusing((MUCH,), plans=False), HERE, print)
    assert "could not plan again: terraform plan failed" in str(caught.value.hint)


def test_whoever_stops_it_while_it_waits_is_not_told_that_nothing_was_changed() -> None:
    class Stopped(Refusing):
        def wait(self, seconds: float) -> None:
            raise KeyboardInterrupt

    planned = [Change("demand", "infra.demand", "create", "1 to add")]
    with Infrastructure({}, Stopped((MUCH,)), print) as made, pytest.raises(StoppedPartWay):
        made.apply_changes(["demand"], planned, "_project")


@pytest.mark.parametrize("others", [0, 1])
def test_a_folder_without_a_state_is_planned_again_with_one_and_nothing_more_is_done(others: int) -> None:
    """A plan makes no write, and terraform creates an empty state where it finds none."""

    class Apart(Refusing):
        asked = 0

        def is_planned_apart(self, folder: Path) -> bool:
            return not self.asked

        def show_plan(self, folder: Path) -> Mapping[str, Any]:
            return {"resource_changes": [created("google_pubsub_topic.alerts")]}

        def plan_again(self, folder: Path, adopt: Mapping[str, str], *, slower: bool) -> Mapping[str, Any]:
            self.asked += 1
            more = [created("google_pubsub_topic.theirs")] * others
            return {"resource_changes": [created("google_pubsub_topic.alerts"), *more]}

    terraform = Apart()
    if others:
        with pytest.raises(StalePlan, match="theirs would now change in another way"):
            apply_with_retries(terraform, HERE, print)
    else:
        apply_with_retries(terraform, HERE, print)
    assert (terraform.asked, terraform.applied) == (1, [] if others else [False])


def created(address: str) -> dict[str, Any]:
    change = {"actions": ["create"], "before": None, "after": {"name": address}, "after_unknown": {}}
    return {"address": address, "mode": "managed", "type": address.partition(".")[0], "change": change}


@pytest.mark.parametrize(("action", "undeployed"), [
    ("delete", ["demand"]), ("replace", ["demand"]), ("update", []), ("create", []),
])  # fmt: skip
def test_what_serves_at_an_endpoint_is_undeployed_before_terraform_removes_it(
    action: str, undeployed: list[str]
) -> None:
    terraform, found = Refusing(), []

    def undeploy(name: str) -> None:
        assert terraform.applied == []
        found.append(name)

    after = {"google_vertex_ai_endpoint.this": action, "google_pubsub_topic.alerts": "delete"}
    planned = [
        Change("demand", "infra.demand", "update", "1 to change", None, after),
        Change("returns", "infra.returns", "update", "1 to destroy", None, {"google_pubsub_topic.alerts": "delete"}),
    ]
    with Infrastructure({}, terraform, print) as made:
        made.apply_changes(["demand", "returns"], planned, "_project", undeploy)
    assert found == undeployed
