"""One cloud: all that exists in it. A reset makes another."""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from tests.gcp.standin.commands import Commands
from tests.gcp.standin.iam.policies import Need, Policies
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
    function_state: str = "ACTIVE"
    """The state that functions are in."""
    billing: bool = True
    """Whether an open billing account pays for the project."""
    connection_stage: str = "COMPLETE"
    """How far the installation of Cloud Build's connections is."""
    schedule_code: int = 0
    """What the last attempts of Cloud Scheduler's jobs ended with, as google.rpc.Code."""
    predictions: dict[str, str] = field(default_factory=dict)
    """Where a deployed model's container listens: a URL by model name (`…/models/x`), version (`…/models/x@2`) or `*`."""
    durations: dict[str, float] = field(default_factory=dict)
    """Seconds of the cloud's clock that something takes: an operation, by its method (`DeployModel`), and before its program starts
    a container, by a regular expression that is searched for in its words (`step backtest`)."""


@dataclass
class Cloud:
    """Resources by name, whatever their type; `lock` is held during every call but those that wait for a program."""

    folder: Path
    environment: dict[str, str]
    settings: Settings = field(default_factory=Settings)
    resources: dict[str, Any] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=dict)
    """IAM policies by resource, as a client wrote them; `iam` is what is evaluated."""
    owner: str = ""
    """The account that made the project."""
    polling: dict[str, Need] = field(default_factory=dict)
    """What asking for each long-running operation needs."""
    iam_jobs: dict[tuple[str, str | None], str] = field(default_factory=dict)
    """Who made each of BigQuery's jobs, by project and id."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.operations = Operations(self)
        self.iam = Policies(self.owner)
        self.commands = Commands(self.folder / "jobs", self.environment, self.start_of)
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

    def due(self, method: str) -> datetime | None:
        """Return when an operation that starts now is done, if that is a matter of time."""
        seconds = self.settings.durations.get(method)
        return None if seconds is None else self.now() + timedelta(seconds=seconds)

    def start_of(self, words: Sequence[str]) -> Callable[[], bool]:
        """Return whether it is time for the program of a container that was asked for now."""
        told = " ".join(words)
        takes = [seconds for pattern, seconds in self.settings.durations.items() if re.search(pattern, told)]
        at = self.now() + timedelta(seconds=max(takes, default=0.0))
        return lambda: self.now() >= at

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

    def granted(self, permissions: Iterable[str], need: Callable[[str], Need]) -> list[str]:
        """Return which of the permissions the caller has, and the settings do not deny."""
        return [
            each
            for each in permissions
            if each not in self.settings.denied and self.iam.may(self.iam.caller, need(each))
        ]

    def copy_into(self, folder: Path) -> Cloud:
        """Return another cloud in which everything is as it is here. Raises ValueError where something is under way or was run.

        What is under way may be done first: a copy is a call's worth of time.
        """
        with self.lock:
            self.operations.tick()
            if self.operations.under_way() or self.commands.started():
                raise ValueError("a cloud with an operation under way, or with programs, cannot be copied")
            found = copy.deepcopy(self, {id(self.lock): threading.RLock()})
        found.folder = folder
        found.commands.folder = folder / "jobs"
        return found

    def close(self) -> None:
        """End what still runs, and let services go of what they hold."""
        self.commands.close()
        with self.lock:
            for service in self._services.values():
                if hasattr(service, "close"):
                    service.close()
