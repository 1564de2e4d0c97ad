"""Cloud Logging: entries are written, and found again by a filter."""

from __future__ import annotations

import json
from typing import Any

from google.cloud.logging_v2.types import LogEntry
from google.logging.type.log_severity_pb2 import LogSeverity

from tests.gcp.standin import standard
from tests.gcp.standin.cloud import Cloud
from tests.gcp.standin.refused import invalid
from tests.gcp.standin.rpcs import Rpc


class Logs:
    """All entries of one cloud, in the order of their arrival."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._entries: dict[tuple[str, str, str], Any] = {}

    def write_log_entries(self, rpc: Rpc, request: Any) -> Any:
        """Keep entries, each with what the request says of all. The same insert id in the same log and second is one entry."""
        for given in request.entries:
            entry = standard.copy(given)
            entry.log_name = entry.log_name or request.log_name
            if "/logs/" not in entry.log_name:
                raise invalid(f"log_name is not valid: {entry.log_name!r}")
            if not entry.HasField("resource"):
                entry.resource.CopyFrom(request.resource)
            for key, value in request.labels.items():
                if key not in entry.labels:
                    entry.labels[key] = value
            self._keep(entry)
        return rpc.response()

    def wrote(self, log: str, origin: LogEntry, line: str) -> None:
        """Keep a line that a container wrote. JSON is kept as such, its `severity` as the entry's own.

        Source: cloud.google.com/logging/docs/structured-logging, "Special JSON fields in messages".
        """
        entry = standard.copy(origin)
        entry.log_name = log
        found = _structured(line)
        if found is None:
            entry.text_payload = line
        else:
            if named := found.pop("severity", None):
                entry.severity = LogSeverity.Value(named)
            entry.json_payload.update(found)
        self._keep(entry)

    def _keep(self, entry: Any) -> None:
        entry.receive_timestamp.CopyFrom(self._cloud.timestamp())
        if not entry.HasField("timestamp"):
            entry.timestamp.CopyFrom(entry.receive_timestamp)
        entry.insert_id = entry.insert_id or self._cloud.next_id()
        self._entries[entry.log_name, entry.timestamp.ToJsonString(), entry.insert_id] = entry

    def list_log_entries(self, rpc: Rpc, request: Any) -> Any:
        """Return the entries of the named projects that the filter means, by time."""
        names = tuple(f"{each}/logs/" for each in request.resource_names)
        found = [each for each in self._entries.values() if each.log_name.startswith(names)]
        found.sort(key=lambda each: each.timestamp.ToNanoseconds())
        if "desc" in request.order_by:
            found.reverse()  # of one instant too, what came last comes first
        asked = standard.copy(request)
        asked.order_by = ""
        return standard.page(rpc, asked, found)

    def list_logs(self, rpc: Rpc, request: Any) -> Any:
        """Return the names of the logs of a project that hold something."""
        names = {each.log_name for each in self._entries.values()}
        return rpc.response(log_names=sorted(each for each in names if each.startswith(f"{request.parent}/logs/")))

    def delete_log(self, rpc: Rpc, request: Any) -> Any:
        """Remove a log with all its entries."""
        self._entries = {key: each for key, each in self._entries.items() if each.log_name != request.log_name}
        return rpc.response()


def _structured(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
