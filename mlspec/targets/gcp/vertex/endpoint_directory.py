"""Finds the endpoint of a forecast by its labels: its id is another one each time that terraform creates it.

Google keeps the id of a deleted endpoint reserved for up to 7 days
(https://cloud.google.com/vertex-ai/docs/predictions/private-service-connect, "Limitations").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlspec.errors import TargetError
from mlspec.spec.gcp.labels import FORECAST_LABEL, MANAGED_BY, MANAGED_FILTER
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries

_PAGE = 100


class EndpointDirectory:
    """The endpoints of one project and region that carry mlspec's labels."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._session = False
        self._listed: Sequence[Any] | TargetError | None = None

    def begin_session(self) -> None:
        """From now on list all endpoints once, and cache them as they were then, also an error."""
        self._session = True

    def end_session(self) -> None:
        """Stop caching."""
        self._session, self._listed = False, None

    def find_endpoint(self, forecast: str, *, fresh: bool = False) -> Any | None:
        """Return a forecast's endpoint; None if it has none. Raises TargetError if it has several.

        With `fresh` it is read now; without it, inside a session, it is the one of the list.
        """
        cached = self._session and not fresh
        endpoints = self._list_all() if cached else self._list_endpoints(f'labels.{FORECAST_LABEL}="{forecast}"')
        own = [endpoint for endpoint in endpoints if _labels_of(endpoint) == {**MANAGED_BY, FORECAST_LABEL: forecast}]
        if len(own) > 1:
            names = " and ".join(sorted(endpoint.name for endpoint in own))
            raise TargetError(
                f"{forecast} has {len(own)} endpoints: {names}",
                hint="`terraform state show google_vertex_ai_endpoint.this` names the one that is used: delete the others",
            )
        return own[0] if own else None

    def _list_all(self) -> Sequence[Any]:
        if self._listed is None:
            try:
                self._listed = self._list_endpoints(MANAGED_FILTER)
            except TargetError as error:
                self._listed = error
        if isinstance(self._listed, TargetError):
            raise self._listed
        return self._listed

    def _list_endpoints(self, labelled: str) -> Sequence[Any]:
        parent = f"projects/{self._clients.project}/locations/{self._clients.region}"
        request = {"parent": parent, "filter": labelled, "page_size": _PAGE}
        return call_with_retries(
            lambda: list(self._clients.endpoints.list_endpoints(request=request, retry=None, timeout=TIMEOUT)),
            "list the endpoints",
        )


def _labels_of(endpoint: Any) -> dict[str, str]:
    return {key: endpoint.labels[key] for key in (*MANAGED_BY, FORECAST_LABEL) if key in endpoint.labels}
