"""Vertex AI's endpoints: models deployed to them, and whole percents of the traffic for each.

See the comments of endpoint_service.proto and endpoint.proto, which say what is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from google.cloud.aiplatform_v1.types import DeployModelResponse, MutateDeployedModelResponse, UndeployModelResponse

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, invalid, not_found, precondition
from tests.gcp.standin.rpcs import Rpc
from tests.gcp.standin.rules import fields
from tests.gcp.standin.services.vertex_artifacts import let_read
from tests.gcp.standin.services.vertex_models import Models

# What MutateDeployedModel may change though dedicated_resources.proto calls it immutable (endpoint_service.proto, its update_mask).
MUTABLE = (
    "dedicated_resources.min_replica_count", "dedicated_resources.max_replica_count",
    "dedicated_resources.required_replica_count", "dedicated_resources.autoscaling_metric_specs",
    "automatic_resources.min_replica_count", "automatic_resources.max_replica_count",
)  # fmt: skip
# "After you've deleted your endpoint, you won't be able to reuse that endpoint name for up to 7 days", and "An endpoint's
# projectAllowlist value can't be changed": cloud.google.com/vertex-ai/docs/predictions/private-service-connect, "Limitations".
_RESERVED = timedelta(days=7)
_FIXED = {"private_service_connect_config", "dedicated_endpoint_enabled", "network", "encryption_spec"}
_NEW = "0"  # how a traffic split calls the model that is just being deployed


class Endpoints:
    """The endpoints of one cloud; they are kept among its resources."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._deleted: dict[str, datetime] = {}

    def deploy_model(self, rpc: Rpc, request: Any) -> Any:
        """Deploy a model's version. The split is left as it is where none is given: then nothing reaches it."""
        endpoint = self._cloud.get(request.endpoint)
        deployed = self._deployed(request.deployed_model)
        if any(each.id == deployed.id for each in endpoint.deployed_models):
            raise invalid(f"A deployed model with the id {deployed.id} is there already.")
        split = {deployed.id if key == _NEW else key: share for key, share in request.traffic_split.items()}
        _check_split(endpoint, split, coming=deployed.id)

        def land() -> Any:
            _check_split(endpoint, split, coming=deployed.id)
            deployed.create_time.CopyFrom(self._cloud.timestamp())
            endpoint.deployed_models.append(deployed)
            self._divide(endpoint, split)
            return DeployModelResponse.pb()(deployed_model=deployed)

        return self._cloud.operations.start(request.endpoint, land, method=rpc.name)

    def _deployed(self, given: Any) -> Any:
        _, version = self._cloud.service(Models).find(given.model)
        if given.WhichOneof("prediction_resources") is None:
            raise invalid("The deployed model must say its resources: dedicated_resources or automatic_resources.")
        if given.HasField("dedicated_resources") and given.dedicated_resources.min_replica_count < 1:
            raise invalid("dedicated_resources.min_replica_count must be at least 1.")
        found = standard.copy(given)
        found.id = given.id or self._cloud.next_id() * 2
        found.model, found.model_version_id = version.name, version.version_id
        found.display_name = given.display_name or version.display_name
        let_read(self._cloud, version, found.service_account)
        return found

    def _divide(self, endpoint: Any, split: Mapping[str, int]) -> None:
        if split:
            endpoint.traffic_split.clear()
            endpoint.traffic_split.update(split)
        self._cloud.stamp(endpoint)

    def undeploy_model(self, rpc: Rpc, request: Any) -> Any:
        """Take a model off that no traffic reaches, or will reach by the split that comes with the call."""
        endpoint, gone = self._cloud.get(request.endpoint), request.deployed_model_id
        split = dict(request.traffic_split)
        _check_leaving(endpoint, split, gone)

        def land() -> Any:
            at = _check_leaving(endpoint, split, gone)
            del endpoint.deployed_models[at]
            self._divide(endpoint, split)
            endpoint.traffic_split.pop(gone, None)
            return UndeployModelResponse.pb()()

        return self._cloud.operations.start(request.endpoint, land, method=rpc.name)

    def mutate_deployed_model(self, rpc: Rpc, request: Any) -> Any:
        """Change how a deployed model is scaled."""
        endpoint = self._cloud.get(request.endpoint)
        found = endpoint.deployed_models[_position(endpoint, request.deployed_model.id)]
        changed = standard.copy(found)
        standard.merge(changed, request.deployed_model, list(request.update_mask.paths))
        fields.check_unchanged(found, changed, MUTABLE)

        def land() -> Any:
            found.CopyFrom(changed)
            self._cloud.stamp(endpoint)
            return MutateDeployedModelResponse.pb()(deployed_model=found)

        return self._cloud.operations.start(request.endpoint, land, method=rpc.name)

    def create_endpoint(self, rpc: Rpc, request: Any) -> Any:
        """Make an endpoint without models."""
        if not request.endpoint.display_name:
            raise invalid("Endpoint.display_name is required.")
        if request.endpoint.deployed_models or request.endpoint.traffic_split:
            raise invalid("An endpoint is made without models; deploy them afterwards.")
        name = f"{request.parent}/endpoints/{request.endpoint_id}"
        if name in self._deleted and self._cloud.now() < self._deleted[name] + _RESERVED:
            raise Refused("ALREADY_EXISTS", f"Endpoint {name} was deleted: its name cannot be used again yet.")
        return standard.create(self._cloud, rpc, request)

    def update_endpoint(self, rpc: Rpc, request: Any) -> Any:
        """Change an endpoint, its split among the rest."""
        paths = request.update_mask.paths
        if "deployed_models" in paths:
            raise invalid("deployed_models is changed by DeployModel and UndeployModel.")
        if fixed := _FIXED & {path.partition(".")[0] for path in paths}:
            raise invalid(f"An endpoint's {', '.join(sorted(fixed))} cannot be changed.")
        if "traffic_split" in paths:
            endpoint = self._cloud.get(request.endpoint.name)
            _check_split(endpoint, request.endpoint.traffic_split)
        return standard.update(self._cloud, rpc, request)

    def delete_endpoint(self, rpc: Rpc, request: Any) -> Any:
        """Delete an endpoint that has no models."""
        if self._cloud.get(request.name).deployed_models:
            raise precondition(f"Endpoint {request.name} has deployed or being-deployed DeployedModel(s).")
        self._deleted[request.name] = self._cloud.now()
        return standard.delete(self._cloud, rpc, request)


def _position(endpoint: Any, id_: str) -> int:
    for at, each in enumerate(endpoint.deployed_models):
        if each.id == id_:
            return at
    raise not_found(f"{endpoint.name} deployed model {id_}")


def _check_split(endpoint: Any, split: Mapping[str, int], *, coming: str = "") -> None:
    known = {each.id for each in endpoint.deployed_models} | {coming}
    unknown = sorted(set(split) - known)
    if unknown:
        raise invalid(f"The traffic split names deployed models that are not there: {', '.join(unknown)}")
    if any(share < 0 for share in split.values()) or (split and sum(split.values()) != 100):
        raise invalid(f"Traffic split percentages must sum to 100, and sum to {sum(split.values())}.")


def _check_leaving(endpoint: Any, split: Mapping[str, int], gone: str) -> int:
    at = _position(endpoint, gone)
    _check_split(endpoint, split)
    served = (split or endpoint.traffic_split).get(gone, 0)
    if served and len(endpoint.deployed_models) > 1:
        raise precondition(f"The deployed model {gone} has {served}% of the traffic: give a traffic_split without it.")
    return at
