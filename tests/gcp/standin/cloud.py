"""One cloud: all that exists in it. A reset makes another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from tests.gcp.standin.commands import Commands
from tests.gcp.standin.operations import Operations
from tests.gcp.standin.refused import not_found


@dataclass
class Settings:
    """What a test may turn, by an admin call."""

    operations_take: int = 1
    """With which call of any kind after its own a long-running operation is done; 0: with its own."""
    clock: str | None = None
    """The time, in ISO 8601, that all of it is told; None: this machine's."""
    denied: list[str] = field(default_factory=list)
    """Permissions that testIamPermissions does not confirm."""
    disabled_services: list[str] = field(default_factory=list)
    """APIs that Service Usage calls DISABLED, as in `run.googleapis.com`."""
    images: list[str] = field(default_factory=list)
    """What was pushed to Artifact Registry: names of images by digest (`…/dockerImages/x@sha256:…`) or of tags."""
    quotas: dict[str, int] = field(default_factory=dict)
    """Limits in every region by metric, as in `run.googleapis.com/cpu_allocation`; a metric that is not here has none."""
    predictions: dict[str, str] = field(default_factory=dict)
    """Where a deployed model's container listens: a URL by model name (`…/models/x`), version (`…/models/x@2`) or `*`."""


@dataclass
class Cloud:
    """Resources by name, whatever their type; `lock` is held during every call but those that wait for a program."""

    folder: Path
    environment: dict[str, str]
    settings: Settings = field(default_factory=Settings)
    resources: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)
    """IAM policies by resource."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.operations = Operations(self)
        self.commands = Commands(self.folder / "jobs", self.environment)
        self._services: dict[type[Any], Any] = {}
        self._last = 1000

    def service(self, kind: type[Any]) -> Any:
        """Return this cloud's one service of a class."""
        if kind not in self._services:
            self._services[kind] = kind(self)
        return self._services[kind]

    def next_id(self) -> str:
        """Return a number that nothing has had yet."""
        self._last += 1
        return str(self._last)

    def now(self) -> datetime:
        """Return the time that it is in this cloud."""
        told = self.settings.clock
        return datetime.fromisoformat(told).astimezone(UTC) if told else datetime.now(UTC)  # noqa: TID251  (a server has a clock of its own)

    def timestamp(self) -> Timestamp:
        """Return `now` as a message."""
        found = Timestamp()
        found.FromDatetime(self.now())
        return found

    def get(self, name: str) -> Any:
        """Return what has this name. Raises Refused where nothing has."""
        if name not in self.resources:
            raise not_found(name)
        return self.resources[name]

    def below(self, parent: str, collection: str) -> Iterator[Any]:
        """Yield the resources of one collection, by name; `-` in the parent stands for any location."""
        wanted = parent.split("/")
        for name, found in sorted(self.resources.items()):
            *above, kind, _ = name.split("/")
            if (kind, len(above)) == (collection, len(wanted)) and all(
                one in {"-", other} for one, other in zip(wanted, above, strict=True)
            ):
                yield found

    def stamp(self, resource: Any, *, created: bool = False) -> None:
        """Write the time into a message, where it has fields for it."""
        for name in ("create_time", "update_time") if created else ("update_time",):
            if name in resource.DESCRIPTOR.fields_by_name:
                getattr(resource, name).CopyFrom(self.timestamp())
        if "etag" in resource.DESCRIPTOR.fields_by_name:
            resource.etag = f"etag-{self.next_id()}"

    def close(self) -> None:
        """End what still runs."""
        self.commands.close()
