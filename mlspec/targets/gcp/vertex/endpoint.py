"""A forecast's endpoint on Vertex AI: its deployed versions, their machines and the traffic split.

Terraform creates the empty endpoint; this module deploys to it. A deployment answers with its version alone. Its id is derived from
what it serves and from its machine type, which cannot be changed. So a deployment is found again if the answer to its creation was
lost. A change of the machine type is a new deployment, which takes over the traffic before the old one is removed. Replicas are
changed in place. One call sets all traffic shares, with the endpoint's etag as its precondition. A deployment takes minutes, and
nothing waits for it here (`operations`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlspec.errors import TargetError
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries
from mlspec.targets.gcp.vertex.deployments import (
    DeploymentContent,
    ServingMachine,
    deployed_replicas,
    is_ours,
    nonzero_shares,
)
from mlspec.targets.gcp.vertex.model_registry import RegisteredVersion
from mlspec.targets.gcp.vertex.operations import FindStarted, Operations, nothing_started

_COUNTS = ["dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count"]


class Endpoint:
    """One endpoint, by its full name."""

    def __init__(self, clients: Clients, name: str, find_started: FindStarted = nothing_started) -> None:
        self._clients, self.name, self._find_started = clients, name, find_started

    def route_traffic(
        self,
        traffic: Mapping[str, int],
        models: Mapping[str, RegisteredVersion],
        machine: ServingMachine,
        confirm: Callable[[], None],
    ) -> None:
        """Deploy the versions in `traffic`, split the traffic, then start to undeploy the others. In this order no request fails.

        `models` has what is registered for each version. `confirm` is called before each effect; it raises if this run has
        lost its lease. Raises WorkUnderWay while a version is deployed or scaled: no traffic has moved then, and the same call goes
        on later. Raises TargetError if the endpoint does not exist.
        """
        contents = {version: DeploymentContent(version, models[version].data) for version in traffic}
        shares = {contents[version].deployment_id(machine.type): share for version, share in traffic.items()}
        # A version that is being undeployed is still listed. No traffic may go there.
        marks = [mark for which in shares for mark in (f"deploy {which}", f"scale {which}")]
        self._operations.wait_for_others(marks, f"deploy {' and '.join(traffic)}")
        for version in traffic:
            self._deploy_version(contents[version], models[version].name, machine, confirm)
            self._scale_version(contents[version], machine, confirm)
        self._split_traffic(shares, confirm)
        for deployed_id in sorted(set(self._own_deployments()) - set(shares)):
            self._undeploy_version(deployed_id, confirm)

    def undeploy_all(self) -> None:
        """Undeploy all versions, if the endpoint exists. Raises WorkUnderWay until they are gone."""
        from google.api_core.exceptions import NotFound

        try:
            deployed = self._own_deployments()
            if deployed:
                self._split_traffic({}, lambda: None)
            for deployed_id in sorted(deployed):
                self._undeploy_version(deployed_id, lambda: None)
            self._operations.wait_for_running("undeploy", "undeploy all versions")
        except NotFound:
            return

    def is_changing(self) -> bool:
        """Return whether Vertex AI deploys, scales or undeploys a version at this moment."""
        return self._operations.is_any_running()

    def _deploy_version(
        self, content: DeploymentContent, model: str, machine: ServingMachine, confirm: Callable[[], None]
    ) -> None:
        deployment = {
            "id": content.deployment_id(machine.type),
            "model": model,
            "display_name": content.display_name,
            "service_account": machine.account,
            "dedicated_resources": {"machine_spec": {"machine_type": machine.type}, **machine.replica_counts},
        }

        def deploy_if_missing() -> None:
            if deployment["id"] in self._own_deployments():
                return
            confirm()
            self._operations.start_or_raise(
                f"deploy {deployment['id']}",
                f"deploy {content.version}",
                lambda: (
                    self._client.deploy_model(
                        endpoint=self.name, deployed_model=deployment, retry=None, timeout=TIMEOUT
                    ).operation
                ),
            )

        self._call_with_retries(deploy_if_missing, f"deploy {content.version}")

    def _scale_version(self, content: DeploymentContent, machine: ServingMachine, confirm: Callable[[], None]) -> None:
        """Set the number of replicas of a version's deployment."""
        which = content.deployment_id(machine.type)
        changed = {"id": which, "dedicated_resources": machine.replica_counts}

        def scale_if_different() -> None:
            deployed = self._own_deployments().get(which)
            if deployed is None or deployed_replicas(deployed) == machine.replica_counts:
                return  # the next check detects a deployment that was removed
            confirm()
            mask = {"paths": _COUNTS}
            self._operations.start_or_raise(
                f"scale {which}",
                f"scale {content.version}",
                lambda: (
                    self._client.mutate_deployed_model(
                        endpoint=self.name, deployed_model=changed, update_mask=mask, retry=None, timeout=TIMEOUT
                    ).operation
                ),
            )

        self._call_with_retries(scale_if_different, f"scale {content.version}")

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
            self._client.undeploy_model(endpoint=self.name, deployed_model_id=which, retry=None, timeout=TIMEOUT)

        self._call_with_retries(undeploy_if_there, f"undeploy {which}")

    @property
    def _operations(self) -> Operations:
        return Operations(self._client, self.name, "deployment", self._find_started)

    def _own_deployments(self) -> dict[str, Any]:
        """Return mlspec's deployments by id."""
        return {str(deployed.id): deployed for deployed in self._get_endpoint().deployed_models if is_ours(deployed)}

    def _call_with_retries(self, call: Callable[[], None], what: str) -> None:
        from google.api_core.exceptions import NotFound

        try:
            call_with_retries(call, what)
        except NotFound as error:
            raise TargetError(
                f"cannot {what}: {error.message}",
                hint="run `mlspec apply`: it creates the endpoint",
            ) from error

    def _get_endpoint(self) -> Any:
        return call_with_retries(
            lambda: self._client.get_endpoint(name=self.name, retry=None, timeout=TIMEOUT), "look at the endpoint"
        )

    @property
    def _client(self) -> Any:
        return self._clients.endpoints
