"""Vertex AI."""

from __future__ import annotations

from tests.terraform import checks
from tests.terraform.rules import Rules

VERTEX_AI = {
    "google_vertex_ai_endpoint": Rules(
        id="projects/{project}/locations/{location}/endpoints/{name}",
        force_new=(
            "name",
            "location",
            "region",
            "network",
            "encryption_spec",
            "private_service_connect_config",
            "dedicated_endpoint_enabled",
        ),
        computed={
            "dedicated_endpoint_dns": "{name}.{region}-{number}.prediction.vertexai.goog",
            "model_deployment_monitoring_job": "",
            "traffic_split": "",
        },
        conflicts=(
            ("network", "private_service_connect_config"),
            ("network", "dedicated_endpoint_enabled"),
            ("dedicated_endpoint_enabled", "private_service_connect_config"),
        ),
        api_checks=(checks.endpoint,),
        held="googleapi: Error 400: The Endpoint {id} has deployed or being-deployed DeployedModel(s)",
    ),
}
