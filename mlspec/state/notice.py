"""What people are told: one notice an occurrence, and the outbox's line for each receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

Severity = Literal["info", "warning", "critical"]


@dataclass(frozen=True, slots=True)
class Notice:
    """One occurrence that people are told of. The same one always has the same `id`, so a receiver can drop what it has seen.

    `state` is firing, resolved, held, rolled-back, …; `since` is when that began, `at` when it was noticed (RFC 3339, UTC).
    """

    id: str
    forecast: str
    alert: str | None
    kind: Literal["alert", "rollback", "hold", "rollout", "stalled"]
    state: str
    severity: Severity
    at: str
    since: str
    message: str
    version: str | None = None
    value: float | None = None
    owner: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A notice that one receiver has not taken yet. `receiver` is a stable text such as `pubsub:demand-alerts`.

    `attempts` were made so far; the next is due at `next_at`, or never, when it is None: `problem` says why.
    """

    notice: Notice
    receiver: str
    attempts: int = 0
    next_at: str | None = None
    problem: str = ""


FORMAT = "mlspec/notice/v1"


def as_message(notice: Notice) -> dict[str, object]:
    """Return the one form in which a notice leaves mlspec, as JSON: the notice's own words, and the form's name."""
    return {"format": FORMAT, **asdict(notice), "labels": dict(notice.labels)}
