"""What a check-up looks for, and what it found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "missing", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `mend` is the command, or the one act, that mends it; empty where nothing is amiss."""

    area: str
    name: str
    status: Status
    said: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions that the account needs on a bucket, or on the project where `bucket` is empty, and the role that brings them."""

    what: str
    role: str
    permissions: tuple[str, ...]
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit of a service in the region, by its metric and its id, and how much of it one run takes, in the metric's own unit."""

    what: str
    service: str
    metric: str
    id: str
    needed: int


@dataclass(frozen=True, slots=True)
class CloudRequirements:
    """What has to be there on Google Cloud for some forecasts."""

    apis: tuple[str, ...]
    grants: tuple[Grant, ...]
    platform_buckets: tuple[str, ...]
    topics: tuple[str, ...]
    secrets: tuple[str, ...]
    quotas: tuple[Quota, ...]
    airflow: tuple[int, ...]
