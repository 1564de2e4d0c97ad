"""The cloud: a folder with a file for each resource. A test reads it, edits it, fills it and makes it fail.

Both sides use this module, the provider's process while Terraform runs and the test before and after, so a file is
always replaced as a whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Operation = Literal["create", "read", "update", "delete"]


@dataclass
class Resource:
    """Something that exists in the cloud."""

    type: str
    id: str
    values: dict[str, Any]
    contents: int = 0
    """Objects in a bucket, tables in a dataset that Terraform does not know, models on an endpoint."""


@dataclass
class Fault:
    """An answer that will go wrong."""

    type: str
    """A regular expression over types."""
    operation: Operation
    error: str
    id: str = ".*"
    times: int = 1
    leaves: Literal["nothing", "orphan", "tainted"] = "nothing"
    """What a failed create leaves behind: an orphan exists in the cloud and in no state."""


@dataclass
class Cloud:
    """One cloud; another folder is another one."""

    folder: Path
    account: str = ""
    """Whom Terraform acts as; nobody in particular where it is empty."""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    def resources(self, type_name: str | None = None) -> list[Resource]:
        """All that exists, in order of type and id."""
        found = (
            Resource(**json.loads(path.read_text())) for path in self.folder.glob(f"live/{type_name or '*'}/*.json")
        )
        return sorted(found, key=lambda resource: (resource.type, resource.id))

    def get(self, type_name: str, id_or_name: str | None = None) -> Resource:
        """The one resource of a type, or the one with this id or this name at the end of its id."""
        found = [
            resource
            for resource in self.resources(type_name)
            if id_or_name is None or resource.id == id_or_name or resource.id.endswith(f"/{id_or_name}")
        ]
        if len(found) != 1:
            raise LookupError(f"{len(found)} of {type_name} {id_or_name or ''}: {[resource.id for resource in found]}")
        return found[0]

    def find(self, type_name: str, id_: str) -> Resource | None:
        path = self._path(type_name, id_)
        return Resource(**json.loads(path.read_text())) if path.exists() else None

    def put(self, type_name: str, id_: str, **values: Any) -> Resource:
        """Make something exist that Terraform did not make."""
        return self.save(Resource(type_name, id_, {"id": id_, **values}))

    def edit(self, resource: Resource, **values: Any) -> Resource:
        """Change it behind Terraform's back."""
        return self.save(Resource(resource.type, resource.id, {**resource.values, **values}, resource.contents))

    def fill(self, resource: Resource, contents: int = 1) -> Resource:
        """Put objects into a bucket, tables into a dataset, models onto an endpoint."""
        return self.save(Resource(resource.type, resource.id, resource.values, contents))

    def remove(self, resource: Resource) -> None:
        self._path(resource.type, resource.id).unlink(missing_ok=True)

    def save(self, resource: Resource) -> Resource:
        self._write(self._path(resource.type, resource.id), asdict(resource))
        return resource

    def fail(self, fault: Fault) -> None:
        """From now on this goes wrong, as often as the fault says."""
        with self.lock:
            self._write(self.folder / "faults.json", [*map(asdict, self._faults()), asdict(fault)])

    def fault(self, type_name: str, operation: str, id_: str) -> Fault | None:
        """The fault that is due now; it is used up by asking."""
        with self.lock:
            faults = list(self._faults())
            for fault in faults:
                due = fault.times > 0 and fault.operation == operation
                if due and re.fullmatch(fault.type, type_name) and re.fullmatch(fault.id, id_):
                    fault.times -= 1
                    self._write(self.folder / "faults.json", [asdict(each) for each in faults])
                    return fault
        return None

    def authorize(self, operation: Operation, type_name: str, values: dict[str, Any]) -> None:
        """Raise Refused where the account may not. Here everybody may; a cloud with permissions knows better."""

    def note(self, operation: Operation, type_name: str, id_: str) -> None:
        with self.lock, (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps([operation, type_name, id_]) + "\n")

    def log(self) -> list[tuple[str, str, str]]:
        """Every operation that succeeded, but reads, in order: what, of which type, which one."""
        path = self.folder / "log.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [tuple(json.loads(line)) for line in lines]

    def _faults(self) -> Iterator[Fault]:
        path = self.folder / "faults.json"
        if path.exists():
            yield from (Fault(**entry) for entry in json.loads(path.read_text()))

    def _path(self, type_name: str, id_: str) -> Path:
        """Ids hold slashes, colons and whole conditions: a readable start, and a hash to tell them apart."""
        readable = re.sub(r"[^A-Za-z0-9]+", "-", id_)[-60:].strip("-")
        return self.folder / "live" / type_name / f"{readable}-{hashlib.sha256(id_.encode()).hexdigest()[:12]}.json"

    @staticmethod
    def _write(path: Path, value: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{threading.get_ident()}.part")
        part.write_text(json.dumps(value, indent=1, sort_keys=True))
        part.replace(path)
