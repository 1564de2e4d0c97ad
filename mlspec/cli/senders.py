"""From a receiver's name in the outbox to who sends to it."""

from __future__ import annotations

import os
from collections.abc import Callable

from mlspec.targets.notify.base import Sender, Undelivered

# Where Google's own tools look for the project.
_PROJECT = ("PUBSUB_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


def senders(
    secret: Callable[[str], str], clock: Callable[[], str], project: str | None = None
) -> Callable[[str], Sender]:
    """Return what gives the sender of a receiver (`webhook:SECRET`, `pubsub:TOPIC`).

    `secret` gives a secret's value by its name, `project` is the topics' project; the environment's, where a target has none.
    """

    def sender(receiver: str) -> Sender:
        kind, _, name = receiver.partition(":")
        if kind == "webhook":
            from mlspec.targets.notify.webhook import Webhook

            return Webhook(secret(name), clock)
        from mlspec.targets.gcp.pubsub import PubSub

        found = project or next((os.environ[key] for key in _PROJECT if os.environ.get(key)), None)
        if found is None:
            raise Undelivered(f"Pub/Sub topic {name}: no project is set; set GOOGLE_CLOUD_PROJECT")
        return PubSub(found, name)

    return sender
