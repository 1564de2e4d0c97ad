"""What stands by terraform's state, and what is said of it before it goes."""

from __future__ import annotations

from typing import Any

from mlspec.plan.gcp.terraform_state import TerraformState, destroy_sentences, parse_terraform_state


def resource(address: str, mode: str = "managed", **values: Any) -> dict[str, Any]:
    return {"address": address, "mode": mode, "type": address.split(".", maxsplit=1)[0], "values": values}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"format_version": "1.0", "values": {"root_module": {"resources": list(resources)}}}


def test_of_an_empty_state_nothing_stands_and_nothing_is_said() -> None:
    assert parse_terraform_state({"format_version": "1.0"}) == parse_terraform_state(state()) == TerraformState(())
    assert destroy_sentences("demand", TerraformState(())) == ()


def test_what_is_only_read_is_nobody_s_to_take_down() -> None:
    assert parse_terraform_state(state(resource("data.google_project.this", "data"))) == TerraformState(())


def test_what_refuses_to_go_is_told_from_what_goes_as_it_is() -> None:
    job = {"template": [{"template": [{"containers": [{"image": "step@sha256:1"}]}]}]}
    found = parse_terraform_state(state(
        resource("google_bigquery_table.forecast", deletion_protection=True),
        resource("google_storage_managed_folder.data", force_destroy=False),
        resource("google_storage_managed_folder.models", force_destroy=True),
        resource("google_bigquery_dataset.forecasts", delete_contents_on_destroy=False),
        resource("google_cloud_run_v2_job.step", deletion_protection=False, **job),
        resource("google_pubsub_topic.alerts"),
    ))  # fmt: skip
    assert found.protected == (
        "google_bigquery_table.forecast", "google_storage_managed_folder.data", "google_bigquery_dataset.forecasts",
    )  # fmt: skip
    assert len(found.addresses) == 6
    assert found.job_image == "step@sha256:1"


def test_each_resource_is_named_with_what_is_lost_in_it() -> None:
    said = destroy_sentences("demand", TerraformState(("google_bigquery_table.forecast", "google_pubsub_topic.alerts")))
    assert said == (
        "demand: 2 resources on Google Cloud would be destroyed",
        "  - google_bigquery_table.forecast: the forecasts in it are lost",
        "  - google_pubsub_topic.alerts",
    )
