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
from mlspec.targets.gcp.retry import TIMEOUT, patiently
from mlspec.targets.gcp.vertex.deployments import Machine, deployment_id, is_ours, replicas, some, strays

_COUNTS = ["dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count"]
_LONG = 3600.0  # seconds: a machine has to be found, the image loaded, the model read


class Endpoint:
    """One endpoint, by its full name."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients, self.name = clients, name

    def strays(self, traffic: Mapping[str, int], machine: Machine) -> str | None:
        """Return where the endpoint does otherwise than `traffic`, percent by version, on `machine` says, or None."""
        from google.api_core.exceptions import NotFound

        try:
            return strays(self._get(), traffic, machine)
        except NotFound:
            return "the endpoint is gone"

    def route(
        self, traffic: Mapping[str, int], models: Mapping[str, str], machine: Machine, confirm: Callable[[], None]
    ) -> None:
        """Deploy the versions that are to serve, split the traffic, and take down the rest: in this order, so that it never fails.

        `models` has each version's full name in the registry. `confirm` raises where this run may act no longer; it is asked before
        each effect. Raises TargetError where there is no endpoint.
        """
        shares = {deployment_id(version, machine.type): share for version, share in traffic.items()}
        for version in traffic:
            self._deploy(version, models[version], machine, confirm)
            self._scale(version, machine, confirm)
        self._split(shares, confirm)
        for each in sorted(set(self._ours()) - set(shares)):
            self._take_down(each, confirm)

    def clear(self) -> None:
        """Take everything down; nothing happens where there is no endpoint."""
        from google.api_core.exceptions import NotFound

        try:
            deployed = self._ours()
            if deployed:
                self._split({}, lambda: None)
            for each in sorted(deployed):
                self._take_down(each, lambda: None)
        except NotFound:
            return

    def _deploy(self, version: str, model: str, machine: Machine, confirm: Callable[[], None]) -> None:
        wanted = {
            "id": deployment_id(version, machine.type),
            "model": model,
            "display_name": version,
            "service_account": machine.account,
            "dedicated_resources": {"machine_spec": {"machine_type": machine.type}, **machine.counts},
        }

        def once() -> None:
            if wanted["id"] in self._ours():
                return
            confirm()
            self._client.deploy_model(endpoint=self.name, deployed_model=wanted, retry=None, timeout=TIMEOUT).result(
                timeout=_LONG
            )

        self._patiently(once, f"deploy {version}")

    def _scale(self, version: str, machine: Machine, confirm: Callable[[], None]) -> None:
        """Let a version's deployment have as many replicas as it shall."""
        which = deployment_id(version, machine.type)
        changed = {"id": which, "dedicated_resources": machine.counts}

        def once() -> None:
            found = self._ours().get(which)
            if found is None or replicas(found) == machine.counts:
                return  # one that is gone again is found out by the next look
            confirm()
            self._client.mutate_deployed_model(
                endpoint=self.name, deployed_model=changed, update_mask={"paths": _COUNTS}, retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)

        self._patiently(once, f"scale {version}")

    def _split(self, shares: Mapping[str, int], confirm: Callable[[], None]) -> None:
        def once() -> None:
            if some(self._get().traffic_split) != some(shares):
                confirm()
                self._set(shares)

        self._patiently(once, "split the traffic")

    def _set(self, shares: Mapping[str, int]) -> None:
        found = self._get()
        changed = {"name": self.name, "traffic_split": dict(shares), "etag": found.etag}
        self._client.update_endpoint(
            endpoint=changed, update_mask={"paths": ["traffic_split"]}, retry=None, timeout=TIMEOUT
        )

    def _take_down(self, which: str, confirm: Callable[[], None]) -> None:
        def once() -> None:
            if which not in self._ours():
                return
            confirm()
            self._client.undeploy_model(
                endpoint=self.name, deployed_model_id=which, retry=None, timeout=TIMEOUT
            ).result(timeout=_LONG)

        self._patiently(once, f"take the deployment {which} down")

    def _ours(self) -> dict[str, Any]:
        """Return what mlspec deployed here, by id."""
        return {str(each.id): each for each in self._get().deployed_models if is_ours(each)}

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
