"""How an apply goes on that was refused in part: adopt what is ours, ask for less, and do nothing that was not planned."""

from __future__ import annotations

from typing import Any

import pytest

from mlspec.plan.gcp.adoption import ApplyRetry, find_objection, plan_retry
from mlspec.state.diagnostic import Diagnostic

TOPIC = "google_pubsub_topic.alerts"
LABELS = {"managed-by": "mlspec", "mlspec-forecast": "demand"}
AFTER = {"project": "acme", "name": "alerts", "labels": LABELS}
TAKEN = Diagnostic(
    "Error: Error creating Topic: googleapi: Error 409: Resource already exists in the project, alreadyExists", TOPIC
)
MUCH = Diagnostic(
    "Error: Error creating Service account: googleapi: Error 429: too many, rateLimitExceeded",
    "google_service_account.x",
)


def planned(address: str = TOPIC, *actions: str, before: Any = None, after: Any = None) -> dict[str, Any]:
    change = {"actions": list(actions or ("create",)), "before": before, "after": after or AFTER}
    return {
        "resource_changes": [
            {"address": address, "mode": "managed", "type": address.split(".", maxsplit=1)[0], "change": change}
        ]
    }


def test_what_is_there_is_adopted_by_its_id_and_too_much_is_asked_for_slower() -> None:
    assert plan_retry([TAKEN], planned()) == ApplyRetry({TOPIC: "projects/acme/topics/alerts"}, one_at_a_time=False)
    assert plan_retry([MUCH], planned()) == ApplyRetry({}, one_at_a_time=True)
    assert plan_retry([TAKEN, MUCH], planned()) == ApplyRetry(
        {TOPIC: "projects/acme/topics/alerts"}, one_at_a_time=True
    )


@pytest.mark.parametrize("wrong", [
    [], [Diagnostic("Error 403: no", TOPIC)], [TAKEN, Diagnostic("Error 403: no")],
    [Diagnostic(TAKEN.text, "google_kms_crypto_key.k")],
    [Diagnostic(TAKEN.text, "")], [Diagnostic("Error 409: the dataset is still in use", TOPIC)],
])  # fmt: skip
def test_nothing_else_is_gone_on_from(wrong: list[Diagnostic]) -> None:
    assert plan_retry(wrong, planned(wrong[-1].address if wrong else TOPIC)) is None


def test_a_name_that_is_known_only_afterwards_is_not_guessed() -> None:
    assert plan_retry([TAKEN], planned(after={"project": "acme", "labels": LABELS})) is None


@pytest.mark.parametrize(("before", "ours"), [
    ({"effective_labels": {**LABELS, "team": "x"}}, True), ({"labels": LABELS}, True),
    ({"effective_labels": {**LABELS, "mlspec-forecast": "returns"}}, False), ({"labels": {}}, False), ({}, False),
])  # fmt: skip
def test_what_bears_the_forecast_s_labels_is_its_own(before: dict[str, Any], ours: bool) -> None:
    found = find_objection(planned(), planned(TOPIC, "update", before=before), {TOPIC: "x"})
    assert (found is None) is ours
    assert ours or "left alone" in str(found)


@pytest.mark.parametrize(("before", "ours"), [
    ({"name": "a", "description": "trains demand"}, True), ({"name": "a", "description": "trains demand", "kept": None}, True),
    ({"name": "a", "description": None}, False), ({"name": "a", "description": "theirs"}, False),
    ({"name": "a", "description": "trains demand", "kept": False}, False),
])  # fmt: skip
def test_without_labels_it_is_its_own_where_its_description_is_and_nothing_would_change(
    before: dict[str, Any], ours: bool
) -> None:
    after = {"name": "a", "description": "trains demand", "kept": True}
    now = planned(TOPIC, "update", before=before, after=after)
    assert (find_objection(planned(after=after), now, {TOPIC: "x"}) is None) is ours


@pytest.mark.parametrize("actions", [("delete", "create"), ("delete",), ("update",)])
def test_what_was_not_planned_is_not_done(actions: tuple[str, ...]) -> None:
    assert "in another way than planned" in str(find_objection(planned(), planned(TOPIC, *actions, before=AFTER), {}))
    other = planned("google_pubsub_topic.other")
    assert "google_pubsub_topic.other" in str(find_objection(planned(), other, {}))


@pytest.mark.parametrize(("now", "same"), [
    ({"before": {"image": "a", "cpu": 1}, "after": {"image": "b", "cpu": 1}}, True),
    ({"before": {"image": "a", "cpu": 1}, "after": {"image": "b", "cpu": 1, "etag": "x"}}, True),
    ({"before": {"image": "a", "cpu": 1}, "after": {"image": "c", "cpu": 1}}, False),
    ({"before": {"image": "a", "cpu": 2}, "after": {"image": "b", "cpu": 1}}, False),
])  # fmt: skip
def test_what_was_shown_is_done_and_no_hand_s_change_is_undone_with_it(now: dict[str, Any], same: bool) -> None:
    first = planned(TOPIC, "update", before={"image": "a", "cpu": 1}, after={"image": "b", "cpu": 1})
    first["resource_changes"][0]["change"]["after_unknown"] = {"etag": True, "nested": [{"id": False}]}
    assert (find_objection(first, planned(TOPIC, "update", **now), {}) is None) is same


def test_a_replacement_whose_first_half_is_done_is_gone_on_with() -> None:
    first = planned(TOPIC, "delete", "create", before=AFTER)
    assert find_objection(first, planned(), {}) is None
    assert find_objection(first, planned(TOPIC, "delete", before=AFTER), {}) is not None


@pytest.mark.parametrize(("text", "seconds"), [
    ('googleapi: Error 429: too many, "retryDelay": "34.5s"', 34.0), ("Error 409: the etag of the policy does not match", 0.0),
    ("Error 409: There were concurrent policy changes. Please retry", 0.0),
])  # fmt: skip
def test_too_much_at_once_is_waited_out_as_long_as_google_says(text: str, seconds: float) -> None:
    assert plan_retry([Diagnostic(text, TOPIC)], planned()) == ApplyRetry({}, one_at_a_time=True, delay=seconds)


def test_what_is_done_already_is_no_objection() -> None:
    assert find_objection(planned(), planned(TOPIC, "no-op", before=AFTER), {}) is None
    assert find_objection(planned(), planned(), {}) is None
