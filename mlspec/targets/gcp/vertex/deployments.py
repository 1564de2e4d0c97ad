"""The deployments at an endpoint in Vertex AI's form: which of them are mlspec's, their machines and their traffic shares.

A deployment's id is the digest of what it serves and its machine type. A deployment with another id is not mlspec's. It serves its
version alone. Its display name is the version, and the digest of the data that its container brings along, if it does.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.targets.gcp.vertex.model_registry import FROM_RECORD


@dataclass(frozen=True, slots=True)
class ServingMachine:
    """The machine and the replicas that serve a version."""

    type: str
    min_replicas: int
    max_replicas: int
    account: str

    @property
    def replica_counts(self) -> dict[str, int]:
        """The numbers of replicas in Vertex AI's form."""
        return {"min_replica_count": self.min_replicas, "max_replica_count": self.max_replicas}


@dataclass(frozen=True, slots=True)
class Mismatch:
    """How Vertex AI differs from the record. `only_data`: in nothing but the data that its containers bring along."""

    sentence: str
    only_data: bool = False


@dataclass(frozen=True, slots=True)
class DeploymentContent:
    """What a deployment serves: a version, and the digest of the data that its container brings along (FROM_RECORD: none)."""

    version: str
    data: str = FROM_RECORD

    @property
    def display_name(self) -> str:
        """The display name of its deployments."""
        return self.version if self.data == FROM_RECORD else f"{self.version} {self.data}"

    def deployment_id(self, machine: str) -> str:
        """Return the id of its deployment on a machine type: at most ten digits, the first not 0."""
        return str(1 + int(hashlib.sha256(f"{self.display_name} {machine}".encode()).hexdigest(), 16) % 9_999_999_999)


def deployed_version(deployed: Any) -> DeploymentContent:
    """Return what a deployment of mlspec's serves, by its display name."""
    version, _, data = str(deployed.display_name).partition(" ")
    return DeploymentContent(version, data or FROM_RECORD)


def is_ours(deployed: Any) -> bool:
    """Return whether mlspec made a deployment."""
    kind = deployed.dedicated_resources.machine_spec.machine_type
    return bool(deployed.id == deployed_version(deployed).deployment_id(kind))


def deployed_replicas(deployed: Any) -> dict[str, int]:
    """Return a deployment's minimum and maximum of replicas, in the form of `ServingMachine.replica_counts`."""
    resources = deployed.dedicated_resources
    return {"min_replica_count": resources.min_replica_count, "max_replica_count": resources.max_replica_count}


def nonzero_shares(shares: Mapping[str, int]) -> dict[str, int]:
    """Return the shares above zero."""
    return {str(which): int(share) for which, share in shares.items() if share}


def find_mismatch(
    endpoint: Any, traffic: Mapping[str, int], served: Mapping[str, DeploymentContent], machine: ServingMachine
) -> str | None:
    """Return how an endpoint differs from `traffic` (percent by version) on `machine`; None if it does not differ.

    `served` has what each version should be served with.
    """
    actual, expected = _shares_by_version(endpoint), nonzero_shares(traffic)
    if actual != expected:
        return f"the endpoint splits its traffic {_split_text(actual)}, not {_split_text(expected)}"
    deployed_by_id = {deployed.id: deployed for deployed in endpoint.deployed_models}
    for version in sorted(traffic):
        deployed = deployed_by_id.get(served[version].deployment_id(machine.type))
        if deployed is None:
            from_data = "" if served[version].data == FROM_RECORD else " with the newest data"
            return f"{version} is not deployed on {machine.type}{from_data}"
        if deployed_replicas(deployed) != machine.replica_counts:
            found, wanted = _replica_range(deployed_replicas(deployed)), _replica_range(machine.replica_counts)
            return f"{version} has {found} replicas, not {wanted}"
    reached = nonzero_shares(endpoint.traffic_split)
    for version in expected:
        if served[version].deployment_id(machine.type) not in reached:
            return f"the traffic of {version} goes to an earlier deployment of it"
    return None


def deployed_contents(
    endpoint: Any, traffic: Mapping[str, int], machine: ServingMachine
) -> dict[str, DeploymentContent] | None:
    """Return what serves each version of `traffic` on `machine` now, with whatever data; None if one is not deployed there."""
    reached = nonzero_shares(endpoint.traffic_split)
    found: dict[str, DeploymentContent] = {}
    for deployed in sorted(endpoint.deployed_models, key=lambda each: str(each.id) in reached):
        content = deployed_version(deployed)
        if deployed.id == content.deployment_id(machine.type):
            found[content.version] = content  # of two, the one that has traffic
    return {version: found[version] for version in traffic} if traffic.keys() <= found.keys() else None


def find_leftover(endpoint: Any, served: Mapping[str, DeploymentContent], machine: ServingMachine) -> str | None:
    """Return that a deployment of mlspec's should be gone; None if each is one of `served`. It costs money, and answers nothing."""
    wanted = {content.deployment_id(machine.type) for content in served.values()}
    left = sorted(
        deployed.display_name
        for deployed in endpoint.deployed_models
        if is_ours(deployed) and deployed.id not in wanted
    )
    verb = "is" if len(left) == 1 else "are"
    return f"{' and '.join(left)} {verb} still deployed, and no traffic goes there" if left else None


def _shares_by_version(endpoint: Any) -> dict[str, int]:
    """Return each version's share in percent; a deployment that is not mlspec's is listed by its id."""
    names = {
        str(deployed.id): deployed_version(deployed).version
        for deployed in endpoint.deployed_models
        if is_ours(deployed)
    }
    version_shares: Counter[str] = Counter()
    for which, share in nonzero_shares(endpoint.traffic_split).items():
        version_shares[names.get(which, which)] += share
    return dict(version_shares)


def _replica_range(counts: Mapping[str, int]) -> str:
    return f"{counts['min_replica_count']} to {counts['max_replica_count']}"


def _split_text(shares: Mapping[str, int]) -> str:
    return " and ".join(f"{name} {share} %" for name, share in sorted(shares.items())) or "to nothing"
