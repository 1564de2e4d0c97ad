"""Vertex AI's predictions: a deployed model is chosen by the traffic split, and what stands behind it is asked."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import Refused, precondition
from tests.gcp.standin.rpcs import Rpc

# Google does not say which host a container is asked under: one that it cannot know.
HOST = "a-node-of-the-platform.internal"
_STEP = 37  # coprime with 100: in a hundred calls each deployed model gets just its share, and no share comes in a row
TIMEOUT = 60  # seconds, as Vertex AI gives a prediction


class Predict:
    """Answers what the test's server says, or the instances themselves where there is none."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._calls = 0

    def predict(self, rpc: Rpc, request: Any) -> Callable[[], Any]:
        """Return what asks the deployed model: it is carried out while other calls go on."""
        endpoint = self._cloud.get(request.endpoint)
        if endpoint.HasField("private_service_connect_config"):
            # cloud.google.com/vertex-ai/docs/predictions/private-service-connect: requests go to its service attachment
            raise precondition(f"Endpoint {request.endpoint} is reached through its service attachment alone.")
        deployed = self._chosen(endpoint)
        url = self._url(deployed)
        instances = [json_format.MessageToDict(each) for each in request.instances]
        asked = {"instances": instances}
        if request.HasField("parameters"):
            asked["parameters"] = json_format.MessageToDict(request.parameters)

        def answer() -> Any:
            said = posted(url, json.dumps(asked).encode()) if url else b""
            predictions = json.loads(said)["predictions"] if url else instances
            found = {
                "predictions": predictions, "deployedModelId": deployed.id, "model": deployed.model,
                "modelVersionId": deployed.model_version_id, "modelDisplayName": deployed.display_name,
            }  # fmt: skip
            return json_format.ParseDict(found, rpc.response())

        return answer

    def raw_predict(self, rpc: Rpc, request: Any) -> Callable[[], Any]:
        """Hand the body on as it is."""
        url = self._url(self._chosen(self._cloud.get(request.endpoint)))
        body = request.http_body.data
        return lambda: rpc.response(content_type="application/json", data=posted(url, body) if url else body)

    def _chosen(self, endpoint: Any) -> Any:
        shares = [(each, endpoint.traffic_split.get(each.id, 0)) for each in endpoint.deployed_models]
        at = self._calls * _STEP % 100
        self._calls += 1
        for deployed, share in shares:
            if at < share:
                return deployed
            at -= share
        raise precondition(f"Endpoint {endpoint.name} has no deployed model that takes traffic.")

    def _url(self, deployed: Any) -> str | None:
        known = self._cloud.settings.predictions
        names = (f"{deployed.model}@{deployed.model_version_id}", deployed.model, "*")
        return next((known[name] for name in names if name in known), None)


def posted(url: str, body: bytes) -> bytes:
    """Return what a container answers. Raises Refused where it does not, or not well."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", "Host": HOST})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT) as found:
            return bytes(found.read())
    except urllib.error.HTTPError as wrong:
        with wrong:
            code = "INVALID_ARGUMENT" if wrong.code < 500 else "INTERNAL"
            raise Refused(code, wrong.read().decode(errors="replace")) from None
    except OSError as wrong:
        raise Refused("UNAVAILABLE", f"the container does not answer: {wrong}") from None
