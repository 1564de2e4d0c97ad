"""The notices that are sent to people: one notice an occurrence, and one entry of the outbox for each receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from mlspec.state.resource import digest

Severity = Literal["info", "warning", "critical"]
NO_DATA, DATA_BACK = "no-data", "data-back"
# An alert was taken out of the spec during its incident, or during a loss of its data: nothing else would end that.
REMOVED, LOSS_REMOVED = "removed", "no-data-removed"


@dataclass(frozen=True, slots=True)
class Notice:
    """One occurrence to notify people of. The same occurrence always has the same `id`, so a receiver can drop duplicates.

    `state` is firing, resolved, held, rolled-back, …; `since` is when that began, `at` when it was noticed (RFC 3339, UTC). The
    notices that end a loss of data (`data-back`, `no-data-removed`) have the `since` of the loss.
    `url` is the page of the forecast. It is not recorded: it is set when the notice is sent, if the project has pages.
    """

    id: str
    forecast: str
    alert: str | None
    kind: Literal["alert", "rollback", "hold", "rollout", "stalled", "test"]
    state: str
    severity: Severity
    at: str
    since: str
    message: str
    version: str | None = None
    value: float | None = None
    owner: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None

    @property
    def is_end(self) -> bool:
        """Whether it says that something is over: an incident, or a loss of data."""
        return self.state in ("resolved", DATA_BACK, REMOVED, LOSS_REMOVED)

    @property
    def is_of_loss(self) -> bool:
        """Whether it is of a loss of data, which is an incident of its own."""
        return self.state in (NO_DATA, DATA_BACK, LOSS_REMOVED)


def incident_notice_id(incident: str, state: str) -> str:
    """Return the id of a notice on an incident: the same for the same state, whenever it is made."""
    return digest([incident, state], 32)


def lost_data_id(forecast: str, alert: str, since: str) -> str:
    """Return the id of the notice that an alert has lost its data since a moment."""
    return digest([f"{forecast}:{alert}:{since}", NO_DATA], 32)


@dataclass(frozen=True, slots=True)
class PendingNotice:
    """A notice that one receiver has not accepted yet. `receiver` is a stable text such as `pubsub:demand-alerts`.

    `attempts` is the number of attempts so far. The next one is due at `next_at`; None means that it was given up. `problem`
    says why.
    """

    notice: Notice
    receiver: str
    attempts: int = 0
    next_at: str | None = None
    problem: str = ""

    @property
    def is_given_up(self) -> bool:
        """Whether no further attempt is made: nobody has the notice until a person asks for another attempt."""
        return self.next_at is None


FORMAT = "mlspec/notice/v1"
NEVER = "9999-12-31T23:59:59Z"  # later than every attempt


def as_message(notice: Notice) -> dict[str, object]:
    """Return the JSON form of a notice, the same for every receiver: the notice's fields, and the name of the format.

    `url` is only in it if there is one.
    """
    return {"format": FORMAT, **_fields_without_url(notice), **({"url": notice.url} if notice.url else {})}


def as_record(notice: Notice) -> dict[str, object]:
    """Return a notice as the outbox keeps it."""
    return _fields_without_url(notice)


def _fields_without_url(notice: Notice) -> dict[str, object]:
    return {name: value for name, value in asdict(notice).items() if name != "url"} | {"labels": dict(notice.labels)}
