"""What `mlspec doctor` requires, and the results of its checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "missing", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `mend` is the command or action that repairs it; empty if nothing is wrong."""

    area: str
    name: str
    status: Status
    said: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """Permissions that the account needs on a bucket (on the project if `bucket` is empty), and the role that grants them."""

    what: str
    role: str
    permissions: tuple[str, ...]
    bucket: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota of a service in the region, by its metric and its id. `needed` is what one run uses, in the metric's unit."""

    what: str
    service: str
    metric: str
    id: str
    needed: int


@dataclass(frozen=True, slots=True)
class ForeignSource:
    """A source in another project, and the commands that let the forecasts' accounts read it. Its owner has to run them."""

    name: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForecastParts:
    """What an apply makes of one forecast, by name: its job, and the object that is its DAG in the bucket of DAGs."""

    name: str
    job: str
    dag: str


@dataclass(frozen=True, slots=True)
class PlatformIdentities:
    """Who acts on the platform: its service accounts (e-mail addresses), custom roles (full names), Google's agents (roles)."""

    accounts: tuple[str, ...]
    custom_roles: tuple[str, ...]
    agent_roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloudRequirements:
    """What some forecasts need on Google Cloud. `sources` are the addresses of objects (gs://…) that they read."""

    apis: tuple[str, ...]
    identities: PlatformIdentities
    grants: tuple[Grant, ...]
    platform_buckets: tuple[str, ...]
    topics: tuple[str, ...]
    secrets: tuple[str, ...]
    quotas: tuple[Quota, ...]
    airflow: tuple[int, ...]
    forecasts: tuple[ForecastParts, ...] = ()
    sources: tuple[str, ...] = ()
    foreign_sources: tuple[ForeignSource, ...] = ()
