"""From a receiver's name in the outbox to who sends to it."""

from __future__ import annotations

import os
from collections.abc import Callable

from mlspec.targets.notify.base import DeliveryError, NoticeSender

# Where Google's own tools look for the project.
_PROJECT = ("PUBSUB_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


def sender_factory(
    secret: Callable[[str], str], clock: Callable[[], str], project: str | None = None
) -> Callable[[str], NoticeSender]:
    """Return what gives the sender of a receiver (`webhook:SECRET`, `pubsub:TOPIC`).

    `secret` gives a secret's value by its name, `project` is the topics' project; the environment's, where a target has none.
    """

    def make_sender(receiver: str) -> NoticeSender:
        kind, _, name = receiver.partition(":")
        if kind == "webhook":
            from mlspec.targets.notify.webhook import WebhookSender

            return WebhookSender(secret(name), clock)
        if kind != "pubsub":
            raise DeliveryError(f"{receiver}: nothing sends to a receiver of this kind")
        from mlspec.targets.gcp.pubsub import PubSubSender

        topic_project = project or next((os.environ[key] for key in _PROJECT if os.environ.get(key)), None)
        if topic_project is None:
            raise DeliveryError(f"Pub/Sub topic {name}: no project is set; set GOOGLE_CLOUD_PROJECT")
        return PubSubSender(topic_project, name)

    return make_sender
