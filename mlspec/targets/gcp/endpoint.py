"""A forecast's endpoint on Vertex AI: which versions are deployed there, and how the traffic is split among them.

Terraform makes the endpoint's shell; this is all that happens inside. A version's deployment has an id that follows from its name,
so a deployment whose answer was lost is found again. Traffic is set in one call that names every share, under the endpoint's etag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mlspec.errors import TargetError
from mlspec.targets.gcp.calls import TIMEOUT, patiently
from mlspec.targets.gcp.clients import Clients

_LONG = 3600.0  # seconds: a machine has to be found, the image loaded, the model read


@dataclass(frozen=True, slots=True)
class Machine:
    """What a version is served on."""

    type: str
    min_replicas: int
    max_replicas: int
    account: str


class Endpoint:
    """One endpoint, by its full name."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients, self.name = clients, name

    def traffic(self) -> dict[str, int] | None:
        """Return each version's share in percent, as the endpoint says it; None where there is no endpoint."""
        from google.api_core.exceptions import NotFound

        try:
            return shares_of(self._get())
        except NotFound:
            return None

    def route(
        self, traffic: Mapping[str, int], models: Mapping[str, str], machine: Machine, confirm: Callable[[], None]
    ) -> None:
        """Deploy the versions that are to serve, split the traffic, and take down the rest: in this order, so that it never fails.

        `models` has each version's full name in the registry. `confirm` raises where this run may act no longer; it is asked before
        each effect. Raises TargetError where there is no endpoint.
        """
        for version in traffic:
            self._deploy(version, models[version], machine, confirm)
        self._split(traffic, confirm)
        for version in sorted(set(self._deployed()) - set(traffic)):
            self._take_down(version, confirm)

    def clear(self) -> None:
        """Take everything down; nothing happens where there is no endpoint."""
        from google.api_core.exceptions import NotFound

        try:
            deployed = self._deployed()
            if deployed:
                self._set({})
            for version in sorted(deployed):
                self._take_down(version, lambda: None)
        except NotFound:
            return

    def _deploy(self, version: str, model: str, machine: Machine, confirm: Callable[[], None]) -> None:
        def once() -> None:
            if version in self._deployed():
                return
            confirm()
            deployed = {
                "id": deployment_id(version),
                "model": model,
                "display_name": version,
                "service_account": machine.account,
                "dedicated_resources": {
                    "machine_spec": {"machine_type": machine.type},
                    "min_replica_count": machine.min_replicas,
                    "max_replica_count": machine.max_replicas,
                },
            }
            self._client.deploy_model(endpoint=self.name, deployed_model=deployed, retry=None, timeout=TIMEOUT).result(
                timeout=_LONG
            )

        self._patiently(once, f"deploy {version}")

    def _split(self, traffic: Mapping[str, int], confirm: Callable[[], None]) -> None:
        def once() -> None:
            if shares_of(self._get()) != {version: share for version, share in traffic.items() if share}:
                confirm()
                self._set({deployment_id(version): share for version, share in traffic.items()})

        self._patiently(once, "split the traffic")

    def _set(self, shares: Mapping[str, int]) -> None:
        found = self._get()
        changed = {"name": self.name, "traffic_split": dict(shares), "etag": found.etag}
        self._client.update_endpoint(
            endpoint=changed, update_mask={"paths": ["traffic_split"]}, retry=None, timeout=TIMEOUT
        )

    def _take_down(self, version: str, confirm: Callable[[], None]) -> None:
        def once() -> None:
            found = self._deployed().get(version)
            if found is None:
                return
            confirm()
            self._client.undeploy_model(
                endpoint=self.name, deployed_model_id=found, retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)

        self._patiently(once, f"take {version} down")

    def _deployed(self) -> dict[str, str]:
        """Return the ids of what mlspec deployed here, by version."""
        found: dict[str, str] = {}
        for each in self._get().deployed_models:
            if each.id == deployment_id(each.display_name):
                found[each.display_name] = each.id
        return found

    def _patiently(self, call: Callable[[], None], what: str) -> None:
        from google.api_core.exceptions import NotFound

        try:
            patiently(call, what)
        except NotFound as error:
            raise TargetError(
                f"cannot {what}: {error.message}",
                hint="`mlspec apply` makes the endpoint before anything is deployed there",
            ) from error

    def _get(self) -> Any:
        return patiently(
            lambda: self._client.get_endpoint(name=self.name, retry=None, timeout=TIMEOUT), "look at the endpoint"
        )

    @property
    def _client(self) -> Any:
        return self._clients.endpoints


def shares_of(endpoint: Any) -> dict[str, int]:
    """Return the share of each version in percent; a deployment that is not mlspec's stands under its id."""
    ours = (each for each in endpoint.deployed_models if each.id == deployment_id(each.display_name))
    named: dict[str, str] = {str(each.id): str(each.display_name) for each in ours}
    return {named.get(str(key), str(key)): int(share) for key, share in endpoint.traffic_split.items() if share}


def deployment_id(version: str) -> str:
    """Return the id of a version's deployment: ten digits at most, the first not 0."""
    return str(1 + int(hashlib.sha256(version.encode()).hexdigest(), 16) % 9_999_999_999)
