"""Sends a notice to a service of PagerDuty: an alert event, its resolution, or a change event for a rollout.

https://developer.pagerduty.com/docs/events-api-v2/trigger-events and change-events. An incident has one `dedup_key` from its first
notice to the last, so that its end resolves it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from mlspec.log_context import hide_secret
from mlspec.state.notice import DATA_BACK, LOSS_REMOVED, NO_DATA, Notice, as_message, lost_data_id
from mlspec.targets.notify.base import DeliveryError
from mlspec.targets.notify.http_delivery import deliver_json
from mlspec.targets.notify.notice_text import PAGE_TEXT, clip, one_line, title_of

HOSTS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
_KEY = re.compile(r"[0-9A-Za-z]{32}")
_MOST_SUMMARY, _MOST_KEY = 1024, 255
_TRIGGER, _RESOLVE = "trigger", "resolve"


class PagerDutySender:
    """Sends to one service. `key` is the secret's value, the integration key; `clock` returns RFC 3339, `host` an address."""

    def __init__(
        self, key: str, clock: Callable[[], str], allowed: Sequence[str] = (), host: str = HOSTS["us"]
    ) -> None:
        self._key = hide_secret(key.strip())
        if not _KEY.fullmatch(self._key):
            raise DeliveryError(
                "the secret holds no integration key of PagerDuty: 32 letters and digits", permanent=True
            )
        self._host, self._clock, self._allowed = host, clock, tuple(allowed)

    def send_notice(self, notice: Notice) -> str:
        """Send the notice's event and return what was answered; a test's alert is resolved at once.

        Raises DeliveryError unless every answer is 2xx and comes before the deadline.
        """
        if notice.kind == "rollout":
            return self._post("/v2/change/enqueue", change_event(notice, self._key))
        said = self._post("/v2/enqueue", alert_event(notice, self._key))
        if notice.kind == "test":
            said = self._post("/v2/enqueue", alert_event(notice, self._key, over=True))
        return said

    def _post(self, path: str, event: Mapping[str, object]) -> str:
        body = json.dumps(event, ensure_ascii=False, allow_nan=False).encode()
        return deliver_json(f"{self._host}{path}", body, self._clock, self._allowed)


def dedup_key(notice: Notice) -> str:
    """Return what ties the events of an incident together: of an alert the forecast and its name, else the notice's own id.

    Lost data is an incident of its own, under the id of the notice that opens it: an open incident under the alert's name would
    swallow the alert.
    """
    if notice.alert is None or notice.state == NO_DATA:
        return f"mlspec/{notice.id}"
    if notice.state in (DATA_BACK, LOSS_REMOVED):
        return f"mlspec/{lost_data_id(notice.forecast, notice.alert, notice.since)}"
    return clip(f"mlspec/{notice.forecast}/{notice.alert}", _MOST_KEY)


def alert_event(notice: Notice, key: str, *, over: bool = False) -> dict[str, object]:
    """Return the event that opens an incident, or that ends it: `over`, or a notice that something is over."""
    if over or notice.is_end:
        return {"routing_key": key, "event_action": _RESOLVE, "dedup_key": dedup_key(notice)}
    return {
        "routing_key": key,
        "event_action": _TRIGGER,
        "dedup_key": dedup_key(notice),
        "client": "mlspec",
        **({} if notice.url is None else {"client_url": notice.url, **_links(notice)}),
        "payload": {
            "summary": clip(_summary(notice), _MOST_SUMMARY),
            "source": notice.forecast,
            "severity": notice.severity,
            "timestamp": notice.at,
            "component": notice.alert or notice.kind,
            "class": notice.kind,
            "custom_details": as_message(notice),
        },
    }


def change_event(notice: Notice, key: str) -> dict[str, object]:
    """Return a change event: it is shown beside incidents, and notifies nobody."""
    payload = {
        "summary": clip(_summary(notice), _MOST_SUMMARY),
        "source": notice.forecast,
        "timestamp": notice.at,
        "custom_details": as_message(notice),
    }
    return {"routing_key": key, "payload": payload, **_links(notice)}


def _links(notice: Notice) -> dict[str, object]:
    return {} if notice.url is None else {"links": [{"href": notice.url, "text": PAGE_TEXT}]}


def _summary(notice: Notice) -> str:
    return one_line(f"{title_of(notice)}: {notice.message}")
