"""Cloud Functions of the second generation, as far as somebody looks at one: its state is what the settings say."""

from __future__ import annotations

from typing import Any

from google.cloud.functions_v2.types import Function

from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.rpcs import Rpc


class Functions:
    """The functions of one cloud; they are kept among its resources, and none runs."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def get_function(self, rpc: Rpc, request: Any) -> Any:
        """Return a function, deployed well or not."""
        found = self._cloud.get(request.name)
        found.state = Function.State[self._cloud.settings.function_state]
        return found
