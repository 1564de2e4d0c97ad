"""What stands by terraform's state, and what is said of it before it goes."""

from __future__ import annotations

from typing import Any

from mlspec.plan.gcp.terraform_state import Standing, sentences, standing


def resource(address: str, mode: str = "managed", **values: Any) -> dict[str, Any]:
    return {"address": address, "mode": mode, "type": address.split(".", maxsplit=1)[0], "values": values}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"format_version": "1.0", "values": {"root_module": {"resources": list(resources)}}}


def test_of_an_empty_state_nothing_stands_and_nothing_is_said() -> None:
    assert standing({"format_version": "1.0"}) == standing(state()) == Standing(())
    assert sentences("demand", Standing(())) == ()


def test_what_is_only_read_is_nobody_s_to_take_down() -> None:
    assert standing(state(resource("data.google_project.this", "data"))) == Standing(())


def test_what_refuses_to_go_is_told_from_what_goes_as_it_is() -> None:
    job = {"template": [{"template": [{"containers": [{"image": "step@sha256:1"}]}]}]}
    found = standing(state(
        resource("google_bigquery_table.forecast", deletion_protection=True),
        resource("google_storage_managed_folder.data", force_destroy=False),
        resource("google_storage_managed_folder.models", force_destroy=True),
        resource("google_bigquery_dataset.forecasts", delete_contents_on_destroy=False),
        resource("google_cloud_run_v2_job.step", deletion_protection=False, **job),
        resource("google_pubsub_topic.alerts"),
    ))  # fmt: skip
    assert found.held == (
        "google_bigquery_table.forecast", "google_storage_managed_folder.data", "google_bigquery_dataset.forecasts",
    )  # fmt: skip
    assert len(found.made) == 6
    assert found.image == "step@sha256:1"


def test_each_resource_is_named_with_what_is_lost_in_it() -> None:
    said = sentences("demand", Standing(("google_bigquery_table.forecast", "google_pubsub_topic.alerts")))
    assert said == (
        "demand: 2 resources on Google Cloud would be destroyed",
        "  - google_bigquery_table.forecast: the forecasts in it are lost",
        "  - google_pubsub_topic.alerts",
    )
