"""Sends a notice to a channel or chat of Microsoft Teams, by the webhook of a workflow: a message with one Adaptive Card.

https://learn.microsoft.com/power-automate/teams/send-a-message-in-teams (When a Teams webhook request is received) and
https://adaptivecards.io/explorer. Text stands in TextRuns and facts: a TextBlock would read it as Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from mlspec.state.notice import Notice
from mlspec.targets.notify.http_delivery import deliver_json, read_address
from mlspec.targets.notify.notice_text import PAGE_TEXT, clip, first_facts, mark_of, title_of

_CARD = "application/vnd.microsoft.card.adaptive"
_MOST_TEXT, _MOST_FACT = 4000, 500  # Teams takes 28 KB in all: a character is 4 bytes at most
_MOST_FACTS = 10
_COLOURS = {"critical": "attention", "warning": "warning", "info": "accent"}


class TeamsSender:
    """Sends to one workflow. `address` is the secret's value, `clock` returns RFC 3339, `allowed` as for a webhook."""

    def __init__(self, address: str, clock: Callable[[], str], allowed: Sequence[str] = ()) -> None:
        self._url, _ = read_address(address)
        self._clock, self._allowed = clock, tuple(allowed)

    def send_notice(self, notice: Notice) -> str:
        """Post the notice and return what was answered. Raises DeliveryError unless that is 2xx and comes before the deadline."""
        body = json.dumps(teams_message(notice), ensure_ascii=False, allow_nan=False).encode()
        return deliver_json(self._url, body, self._clock, self._allowed)


def teams_message(notice: Notice) -> dict[str, object]:
    """Return the message with its card."""
    title = {
        "type": "TextRun", "text": clip(f"{mark_of(notice)} {title_of(notice)}", 200), "weight": "bolder", "size": "medium",
        "color": "good" if notice.is_end else _COLOURS[notice.severity],
    }  # fmt: skip
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": [
            {"type": "RichTextBlock", "inlines": [title]},
            {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": clip(notice.message, _MOST_TEXT) or "-"}]},
            *(
                {
                    "type": "RichTextBlock", "spacing": "none",
                    "inlines": [
                        {"type": "TextRun", "text": f"{clip(name, _MOST_FACT)}: ", "isSubtle": True},
                        {"type": "TextRun", "text": clip(value, _MOST_FACT)},
                    ],
                }
                for name, value in first_facts(notice, _MOST_FACTS)
            ),
        ],
    }  # fmt: skip
    if notice.url is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": PAGE_TEXT, "url": notice.url}]
    return {"type": "message", "attachments": [{"contentType": _CARD, "contentUrl": None, "content": card}]}
