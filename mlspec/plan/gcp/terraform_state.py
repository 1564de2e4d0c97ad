"""The resources in terraform's state of one rendered folder, and the text that is shown before they are destroyed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.plan.gcp.terraform_plan import loss_of
from mlspec.state.resource import Json

# Attributes that the provider reads from the state before it destroys, each with the value at which it refuses. The templates
# set them by the variable `protect`.
_PROTECTING = {"deletion_protection": True, "force_destroy": False, "delete_contents_on_destroy": False}


@dataclass(frozen=True, slots=True)
class TerraformState:
    """The resources in terraform's state. `protected` cannot be destroyed until an apply removes their protection.

    `job_image` is the container image of the forecast's job; None if there is no job.
    """

    addresses: tuple[str, ...]
    protected: tuple[str, ...] = ()
    job_image: str | None = None


def parse_terraform_state(state_json: Mapping[str, Json]) -> TerraformState:
    """Return the state that `terraform show -json` printed."""
    root = (state_json.get("values") or {}).get("root_module", {})
    resources = [resource for resource in root.get("resources", ()) if resource["mode"] == "managed"]
    protected = (resource["address"] for resource in resources if _is_protected(resource["values"]))
    images = (_job_image(resource["values"]) for resource in resources if resource["type"] == "google_cloud_run_v2_job")
    return TerraformState(tuple(resource["address"] for resource in resources), tuple(protected), next(images, None))


def _is_protected(values: Mapping[str, Any]) -> bool:
    return any(values.get(name) is value for name, value in _PROTECTING.items())


def _job_image(values: Mapping[str, Any]) -> str:
    return str(values["template"][0]["template"][0]["containers"][0]["image"])


def destroy_sentences(name: str, state: TerraformState) -> tuple[str, ...]:
    """Return what destroying one folder removes: a line for each resource, with what is lost in it."""
    if not state.addresses:
        return ()
    total = f"{len(state.addresses)} resource{'s' if len(state.addresses) > 1 else ''}"
    lines = (f"  - {address}{f': {loss}' if (loss := loss_of(address)) else ''}" for address in state.addresses)
    return (f"{name}: {total} on Google Cloud would be destroyed", *lines)
