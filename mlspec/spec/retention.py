"""`retention` of mlspec.yaml: what the record keeps of what nothing needs any more."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from mlspec.spec.fields import Duration
from mlspec.spec.part import Part


class Retention(Part):
    """How long the record keeps what nothing needs any more. What serves, and what a decision reads, stays in any case."""

    releases: int = Field(
        default=20, ge=1, le=1000,
        description="How many of the newest good releases stay, with their models: a rollback can go to these.",
    )  # fmt: skip
    runs: Duration = Field(
        default=timedelta(days=400),
        description="How long forecasts that were made stay, and the records of versions. The newest 60 forecasts always stay.",
    )
    events: Duration = Field(
        default=timedelta(days=730),
        description="How long events, the journal and delivered notices stay, for audit.",
    )
