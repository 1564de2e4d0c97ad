"""A forecast's endpoint on Vertex AI: which versions are deployed there, on which machines, and how the traffic is split.

Terraform makes the endpoint's shell; this is all that happens inside. A deployment's id follows from its version and from what no
call can change of it, its type of machine: a deployment whose answer was lost is found again, and another machine is another
deployment, which takes over before the old one goes. Replicas are changed in place. Traffic is set in one call that names every
share, under the endpoint's etag.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlspec.errors import TargetError
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries
from mlspec.targets.gcp.vertex.deployments import (
    ServingMachine,
    deployed_replicas,
    deployment_id,
    find_mismatch,
    is_ours,
    nonzero_shares,
)

_COUNTS = ["dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count"]
_LONG = 3600.0  # seconds: a machine has to be found, the image loaded, the model read


class Endpoint:
    """One endpoint, by its full name."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients, self.name = clients, name

    def find_mismatch(self, traffic: Mapping[str, int], machine: ServingMachine) -> str | None:
        """Return where the endpoint does otherwise than `traffic`, percent by version, on `machine` says, or None."""
        from google.api_core.exceptions import NotFound

        try:
            return find_mismatch(self._get_endpoint(), traffic, machine)
        except NotFound:
            return "the endpoint is gone"

    def route_traffic(
        self,
        traffic: Mapping[str, int],
        models: Mapping[str, str],
        machine: ServingMachine,
        confirm: Callable[[], None],
    ) -> None:
        """Deploy the versions that are to serve, split the traffic, and take down the rest: in this order, so that it never fails.

        `models` has each version's full name in the registry. `confirm` raises where this run may act no longer; it is asked before
        each effect. Raises TargetError where there is no endpoint.
        """
        shares = {deployment_id(version, machine.type): share for version, share in traffic.items()}
        for version in traffic:
            self._deploy_version(version, models[version], machine, confirm)
            self._scale_version(version, machine, confirm)
        self._split_traffic(shares, confirm)
        for deployed_id in sorted(set(self._own_deployments()) - set(shares)):
            self._undeploy_version(deployed_id, confirm)

    def undeploy_all(self) -> None:
        """Take everything down; nothing happens where there is no endpoint."""
        from google.api_core.exceptions import NotFound

        try:
            deployed = self._own_deployments()
            if deployed:
                self._split_traffic({}, lambda: None)
            for deployed_id in sorted(deployed):
                self._undeploy_version(deployed_id, lambda: None)
        except NotFound:
            return

    def _deploy_version(self, version: str, model: str, machine: ServingMachine, confirm: Callable[[], None]) -> None:
        deployment = {
            "id": deployment_id(version, machine.type),
            "model": model,
            "display_name": version,
            "service_account": machine.account,
            "dedicated_resources": {"machine_spec": {"machine_type": machine.type}, **machine.replica_counts},
        }

        def deploy_if_missing() -> None:
            if deployment["id"] in self._own_deployments():
                return
            confirm()
            self._client.deploy_model(
                endpoint=self.name, deployed_model=deployment, retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)

        self._call_with_retries(deploy_if_missing, f"deploy {version}")

    def _scale_version(self, version: str, machine: ServingMachine, confirm: Callable[[], None]) -> None:
        """Let a version's deployment have as many replicas as it shall."""
        which = deployment_id(version, machine.type)
        changed = {"id": which, "dedicated_resources": machine.replica_counts}

        def scale_if_different() -> None:
            deployed = self._own_deployments().get(which)
            if deployed is None or deployed_replicas(deployed) == machine.replica_counts:
                return  # one that is gone again is found out by the next look
            confirm()
            self._client.mutate_deployed_model(
                endpoint=self.name, deployed_model=changed, update_mask={"paths": _COUNTS}, retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)

        self._call_with_retries(scale_if_different, f"scale {version}")

    def _split_traffic(self, shares: Mapping[str, int], confirm: Callable[[], None]) -> None:
        def split_if_different() -> None:
            if nonzero_shares(self._get_endpoint().traffic_split) != nonzero_shares(shares):
                confirm()
                self._set_shares(shares)

        self._call_with_retries(split_if_different, "split the traffic")

    def _set_shares(self, shares: Mapping[str, int]) -> None:
        endpoint = self._get_endpoint()
        changed = {"name": self.name, "traffic_split": dict(shares), "etag": endpoint.etag}
        self._client.update_endpoint(
            endpoint=changed, update_mask={"paths": ["traffic_split"]}, retry=None, timeout=TIMEOUT
        )

    def _undeploy_version(self, which: str, confirm: Callable[[], None]) -> None:
        def undeploy_if_there() -> None:
            if which not in self._own_deployments():
                return
            confirm()
            self._client.undeploy_model(
                endpoint=self.name, deployed_model_id=which, retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)

        self._call_with_retries(undeploy_if_there, f"take the deployment {which} down")

    def _own_deployments(self) -> dict[str, Any]:
        """Return what mlspec deployed here, by id."""
        return {str(deployed.id): deployed for deployed in self._get_endpoint().deployed_models if is_ours(deployed)}

    def _call_with_retries(self, call: Callable[[], None], what: str) -> None:
        from google.api_core.exceptions import NotFound

        try:
            call_with_retries(call, what)
        except NotFound as error:
            raise TargetError(
                f"cannot {what}: {error.message}",
                hint="`mlspec apply` makes the endpoint before anything is deployed there",
            ) from error

    def _get_endpoint(self) -> Any:
        return call_with_retries(
            lambda: self._client.get_endpoint(name=self.name, retry=None, timeout=TIMEOUT), "look at the endpoint"
        )

    @property
    def _client(self) -> Any:
        return self._clients.endpoints
