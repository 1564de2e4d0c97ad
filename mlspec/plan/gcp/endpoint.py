"""What a plan says of a private endpoint: what Google does not do there, and what is left to its callers."""

from __future__ import annotations

from collections.abc import Iterator

from mlspec.spec.forecast import Forecast


def endpoint_sentences(name: str, spec: Forecast) -> Iterator[str]:
    """Yield the limits of a resolved spec's private endpoint.

    Source: cloud.google.com/vertex-ai/docs/predictions/private-service-connect, "Limitations" and "Best practices", and
    choose-endpoint-type, "Outbound networking".
    """
    if not spec.deployment.is_private:
        return
    yield (
        f"{name}: the endpoint is private: its containers can read no newer data, so each new forecast is deployed anew, which"
        " takes Vertex AI some minutes; Google Cloud does not count its requests"
    )
    yield (
        f"{name}: each new forecast keeps a copy of the data in the bucket of models and in the model registry; `retention` in"
        " mlspec.yaml, with `prune_models` in infra/, lets the loop remove old ones"
    )
    allowed = spec.deployment.endpoint.allowed_projects
    others = f" and of {', '.join(allowed)}" if allowed else ""
    yield (
        f"{name}: callers need a forwarding rule to the endpoint's service attachment, in a network of its own project{others};"
        " the rule is made again if nothing was deployed for 10 minutes"
    )
