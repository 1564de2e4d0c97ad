"""The error of a job that wrote no result: Google's reason, the last lines of its log, and the log's address.

The log is read once, and only after a failure. If the account may not read it, the error still has the reason and the address.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote

from mlspec.errors import TargetError
from mlspec.spec.escaping import log_filter
from mlspec.spec.secrecy import redact_secrets
from mlspec.targets.gcp.clients import Clients
from mlspec.targets.gcp.retry import TIMEOUT, call_with_retries, explain_disappearance

ROLE = "roles/logging.viewer"
LINES = 3  # a traceback's last line and the lines near it
_WIDTH = 300  # most characters of one line or of the reason
_PAGE = 100  # number of newest entries per page
_PAGES = 5  # most pages to read until one has entries
_ERROR = 500  # google.logging.type.LogSeverity.ERROR
_CONSOLE = "https://console.cloud.google.com/logs/query"


@dataclass(frozen=True, slots=True)
class JobEnd:
    """The end of a job: the filter that finds its log, and the service's reason, empty if it gives none."""

    log: str
    reason: str = ""


def since_filter(created: Any) -> str:
    """Return a filter for entries since a job's creation. A search through all stored logs would be slow."""
    return f" AND timestamp>={log_filter(created.rfc3339())}"


def missing_result_error(clients: Clients, what: str, ended: JobEnd) -> TargetError:
    """Return the error of `what`, which ended without a result: the reason and the last log lines, newest first."""
    sentences, address = [f"{what} ended without a result"], _console_url(clients.project, ended.log)
    if reason := _clean_line(ended.reason).rstrip("."):
        sentences.append(reason)
    try:
        lines = last_lines(_read_entries(clients, ended.log))
    except TargetError as error:
        hint = f"its log could not be read ({error.message}); grant {ROLE}, or read it at {address}"
        return TargetError(": ".join(sentences), hint=hint)
    if not lines:
        return TargetError(": ".join(sentences), hint=f"its log has no entries yet; look later at {address}")
    sentences.append(f"its last log lines, newest first: {' | '.join(lines)}")
    return TargetError(": ".join(sentences), hint=f"the whole log is at {address}")


def last_lines(entries: Iterable[Any]) -> Sequence[str]:
    """Return the last lines of error entries, or of all entries if there is no error. `entries` are newest first."""
    newest_entries = list(entries)
    error_lines = [line for entry in newest_entries if int(entry.severity) >= _ERROR for line in _entry_lines(entry)]
    return (error_lines or [line for entry in newest_entries for line in _entry_lines(entry)])[:LINES]


def _read_entries(clients: Clients, log: str) -> Sequence[Any]:
    request = {
        "resource_names": [f"projects/{clients.project}"],
        "filter": log,
        "order_by": "timestamp desc",
        "page_size": _PAGE,
    }

    def read_pages() -> Sequence[Any]:
        pages = clients.logs.list_log_entries(request=request, retry=None, timeout=TIMEOUT).pages
        # A page may be empty though more follow (cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list).
        return next((list(page.entries) for page in islice(pages, _PAGES) if page.entries), [])

    with explain_disappearance("read its log"):
        return call_with_retries(read_pages, "read its log")


def _entry_lines(entry: Any) -> Iterator[str]:
    """Yield an entry's lines, the last one first, because the last line of a traceback holds the error."""
    structured = entry.json_payload or {}
    text = structured.get("message") or entry.text_payload or ""
    return (line for text_line in reversed(str(text).splitlines()) if (line := _clean_line(text_line)))


def _clean_line(text: str) -> str:
    """Return text as one line of limited length, without control characters and probable secrets."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    cleaned = redact_secrets(" ".join(printable.split()))
    return cleaned if len(cleaned) <= _WIDTH else f"{cleaned[: _WIDTH - 1]}…"


def _console_url(project: str, log: str) -> str:
    return f"{_CONSOLE};query={quote(log, safe='')}?project={project}"
