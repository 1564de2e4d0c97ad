"""What terraform's state holds of one folder of rendered files, and what is said of it before it is taken down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.plan.gcp.terraform_plan import lost_with
from mlspec.state.resource import Json

# Attributes that the provider reads from the state before it destroys, each with the value that makes it refuse: the templates
# set them by the variable `protect`.
_HELD = {"deletion_protection": True, "force_destroy": False, "delete_contents_on_destroy": False}


@dataclass(frozen=True, slots=True)
class Standing:
    """Addresses of what terraform `made`, and of what is `held`: it refuses to be destroyed until that is applied away.

    `image` is what the forecast's job runs; None where there is no job.
    """

    made: tuple[str, ...]
    held: tuple[str, ...] = ()
    image: str | None = None


def standing(shown: Mapping[str, Json]) -> Standing:
    """Return what `terraform show -json` says of a state."""
    root = (shown.get("values") or {}).get("root_module", {})
    found = [each for each in root.get("resources", ()) if each["mode"] == "managed"]
    held = (each["address"] for each in found if _held(each["values"]))
    images = (_image(each["values"]) for each in found if each["type"] == "google_cloud_run_v2_job")
    return Standing(tuple(each["address"] for each in found), tuple(held), next(images, None))


def _held(values: Mapping[str, Any]) -> bool:
    return any(values.get(name) is value for name, value in _HELD.items())


def _image(values: Mapping[str, Any]) -> str:
    return str(values["template"][0]["template"][0]["containers"][0]["image"])


def sentences(name: str, found: Standing) -> tuple[str, ...]:
    """Return what goes with one folder, a line a resource, with what is lost in it."""
    if not found.made:
        return ()
    many = f"{len(found.made)} resource{'s' if len(found.made) > 1 else ''}"
    lines = (f"  - {address}{f': {lost}' if (lost := lost_with(address)) else ''}" for address in found.made)
    return (f"{name}: {many} on Google Cloud would be destroyed", *lines)
