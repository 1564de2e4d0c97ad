"""The deployments at an endpoint in Vertex AI's form: which of them are mlspec's, their machines and their traffic shares.

A deployment's id is the digest of its version and its machine type. A deployment with another id is not mlspec's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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


def deployment_id(version: str, machine: str) -> str:
    """Return the id of a version's deployment on a machine type: at most ten digits, the first not 0."""
    return str(1 + int(hashlib.sha256(f"{version} {machine}".encode()).hexdigest(), 16) % 9_999_999_999)


def is_ours(deployed: Any) -> bool:
    """Return whether mlspec made a deployment."""
    kind = deployed.dedicated_resources.machine_spec.machine_type
    return bool(deployed.id == deployment_id(deployed.display_name, kind))


def deployed_replicas(deployed: Any) -> dict[str, int]:
    """Return a deployment's minimum and maximum of replicas, in the form of `ServingMachine.replica_counts`."""
    resources = deployed.dedicated_resources
    return {"min_replica_count": resources.min_replica_count, "max_replica_count": resources.max_replica_count}


def nonzero_shares(shares: Mapping[str, int]) -> dict[str, int]:
    """Return the shares above zero."""
    return {str(which): int(share) for which, share in shares.items() if share}


def find_mismatch(endpoint: Any, traffic: Mapping[str, int], machine: ServingMachine) -> str | None:
    """Return how an endpoint differs from `traffic` (percent by version) on `machine`; None if it does not differ."""
    actual, expected = _shares_by_version(endpoint), nonzero_shares(traffic)
    if actual != expected:
        return f"the endpoint splits its traffic {_split_text(actual)}, not {_split_text(expected)}"
    deployed_by_id = {deployed.id: deployed for deployed in endpoint.deployed_models}
    for version in sorted(traffic):
        deployed = deployed_by_id.get(deployment_id(version, machine.type))
        if deployed is None:
            return f"{version} is not deployed on {machine.type}"
        if deployed_replicas(deployed) != machine.replica_counts:
            found, wanted = _replica_range(deployed_replicas(deployed)), _replica_range(machine.replica_counts)
            return f"{version} has {found} replicas, not {wanted}"
    return None


def _shares_by_version(endpoint: Any) -> dict[str, int]:
    """Return each version's share in percent; a deployment that is not mlspec's is listed by its id."""
    names = {str(deployed.id): str(deployed.display_name) for deployed in endpoint.deployed_models if is_ours(deployed)}
    version_shares: Counter[str] = Counter()
    for which, share in nonzero_shares(endpoint.traffic_split).items():
        version_shares[names.get(which, which)] += share
    return dict(version_shares)


def _replica_range(counts: Mapping[str, int]) -> str:
    return f"{counts['min_replica_count']} to {counts['max_replica_count']}"


def _split_text(shares: Mapping[str, int]) -> str:
    return " and ".join(f"{name} {share} %" for name, share in sorted(shares.items())) or "to nothing"
