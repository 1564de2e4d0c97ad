"""Secret Manager: versions of a secret, each enabled, disabled or destroyed for good."""

from __future__ import annotations

from typing import Any

import google_crc32c
from google.cloud.secretmanager_v1.types import SecretVersion

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import invalid, not_found, precondition
from tests.gcp.standin.rpcs import Rpc

_State = SecretVersion.State


class Secrets:
    """The secrets of one cloud are kept among its resources, what they say here."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._said: dict[str, bytes] = {}

    def _versions(self, secret: str) -> list[Any]:
        self._cloud.get(secret)
        found = self._cloud.below(secret, "versions")
        return sorted(found, key=lambda each: int(each.name.rpartition("/")[2]), reverse=True)

    def _find(self, name: str) -> Any:
        secret, _, word = name.partition("/versions/")
        versions = self._versions(secret)
        if word == "latest":
            if not versions:
                raise not_found(name)
            return versions[0]
        return self._cloud.get(name)

    def add_secret_version(self, rpc: Rpc, request: Any) -> Any:
        """Keep what a secret says from now on. Raises Refused where the bytes are not those that the checksum speaks of."""
        data, given = request.payload.data, request.payload
        if given.HasField("data_crc32c") and given.data_crc32c != google_crc32c.value(data):
            raise invalid("The data_crc32c does not match the data.")
        number = len(self._versions(request.parent)) + 1
        found = rpc.response(name=f"{request.parent}/versions/{number}", state=_State.ENABLED)
        self._cloud.stamp(found, created=True)
        self._cloud.resources[found.name] = found
        self._said[found.name] = data
        return found

    def access_secret_version(self, rpc: Rpc, request: Any) -> Any:
        """Return what an enabled version says. `latest` is the newest, whatever its state."""
        found = self._find(request.name)
        if found.state != _State.ENABLED:
            raise precondition(f"Secret Version [{found.name}] is in {_State(found.state).name} state.")
        data = self._said[found.name]
        return rpc.response(name=found.name, payload={"data": data, "data_crc32c": google_crc32c.value(data)})

    def get_secret_version(self, rpc: Rpc, request: Any) -> Any:
        """Return what is known of a version but what it says."""
        return self._find(request.name)

    def list_secret_versions(self, rpc: Rpc, request: Any) -> Any:
        """Return a secret's versions, the newest first."""
        return standard.page(rpc, request, self._versions(request.parent))

    def disable_secret_version(self, rpc: Rpc, request: Any) -> Any:
        """Let a version say nothing until it is enabled."""
        return self._turn(request, _State.DISABLED)

    def enable_secret_version(self, rpc: Rpc, request: Any) -> Any:
        """Let a version speak again."""
        return self._turn(request, _State.ENABLED)

    def destroy_secret_version(self, rpc: Rpc, request: Any) -> Any:
        """Forget what a version says."""
        found = self._turn(request, _State.DESTROYED)
        found.destroy_time.CopyFrom(self._cloud.timestamp())
        self._said.pop(found.name, None)
        return found

    def _turn(self, request: Any, state: Any) -> Any:
        found = self._cloud.get(request.name)
        if found.state == _State.DESTROYED:
            raise precondition(f"Secret Version [{found.name}] is in DESTROYED state.")
        found.state = state
        self._cloud.stamp(found)
        return found

    def delete_secret(self, rpc: Rpc, request: Any) -> Any:
        """Remove a secret with its versions."""
        for each in self._versions(request.name):
            del self._cloud.resources[each.name]
            self._said.pop(each.name, None)
        return standard.delete(self._cloud, rpc, request)
