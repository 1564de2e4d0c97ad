"""Sends a notice to a channel of Slack, by its incoming webhook: a text for the notification, and blocks for the channel.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks; the limits of blocks are those of
https://docs.slack.dev/reference/block-kit/blocks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from mlspec.state.notice import Notice
from mlspec.targets.notify.http_delivery import deliver_json, read_address
from mlspec.targets.notify.notice_text import PAGE_TEXT, clip, first_facts, mark_of, title_of

_MOST_TITLE, _MOST_TEXT, _MOST_FIELD, _MOST_FIELDS = 150, 3000, 2000, 10
_ESCAPED = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
}  # everything that Slack reads as more than text begins with one of them


class SlackSender:
    """Sends to one incoming webhook. `address` is the secret's value, `clock` returns RFC 3339, `allowed` as for a webhook."""

    def __init__(self, address: str, clock: Callable[[], str], allowed: Sequence[str] = ()) -> None:
        self._url, _ = read_address(address)
        self._clock, self._allowed = clock, tuple(allowed)

    def send_notice(self, notice: Notice) -> str:
        """Post the notice and return what was answered. Raises DeliveryError unless that is 2xx and comes before the deadline."""
        body = json.dumps(slack_message(notice), ensure_ascii=False, allow_nan=False).encode()
        return deliver_json(self._url, body, self._clock, self._allowed)


def slack_message(notice: Notice) -> dict[str, object]:
    """Return the message: `text` is what a notification and a screen reader say."""
    title = f"{mark_of(notice)} {title_of(notice)}"
    fields = [
        {"type": "plain_text", "text": clip(f"{name}: {value}", _MOST_FIELD), "emoji": False}
        for name, value in first_facts(notice, _MOST_FIELDS)
    ]
    return {
        "text": _clip_escaped(f"{title}: {notice.message}", _MOST_TEXT),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": clip(title, _MOST_TITLE), "emoji": False}},
            {
                "type": "section",
                "text": {"type": "plain_text", "text": clip(notice.message, _MOST_TEXT) or "-", "emoji": False},
            },
            {"type": "section", "fields": fields},
            *_page_blocks(notice),
        ],
    }


def _page_blocks(notice: Notice) -> list[dict[str, object]]:
    """Return the link, if there is one: its address has no character that Slack reads as more than text."""
    if notice.url is None:
        return []
    return [{"type": "section", "text": {"type": "mrkdwn", "text": f"<{notice.url}|{PAGE_TEXT}>"}}]


def _clip_escaped(text: str, most: int) -> str:
    """Return a text in which no character is markup, of at most `most` characters; no escape is cut."""
    parts, length = list[str](), 0
    for char in text:
        part = _ESCAPED.get(char, char)
        length += len(part)
        if length >= most:
            return f"{''.join(parts)}…"
        parts.append(part)
    return "".join(parts)
