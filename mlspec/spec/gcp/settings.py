"""The settings of a target on Google Cloud in mlspec.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from mlspec.spec.fields import ProjectId, Region
from mlspec.spec.part import Part

KmsKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^projects/[a-z][a-z0-9-]{4,28}[a-z0-9]/locations/[a-z0-9-]{2,32}/keyRings/[A-Za-z0-9_-]{1,63}"
        r"/cryptoKeys/[A-Za-z0-9_-]{1,63}$"
    ),
]


class GcpTargetSettings(Part):
    """One Google Cloud project and region."""

    type: Literal["gcp"] = Field(description="Which kind of target this is.")
    project: ProjectId = Field(description="Google Cloud project id.")
    region: Region = Field(description="Region, not zone.", examples=["southamerica-east1"])
    kms_key: KmsKey | None = Field(
        default=None, description="Full name of the key that encrypts everything; the platform's own key, if left out.",
        examples=["projects/acme-keys/locations/southamerica-east1/keyRings/data/cryptoKeys/forecasts"],
    )  # fmt: skip
    protect: bool = Field(default=False, description="Ask for approval before every apply.")
