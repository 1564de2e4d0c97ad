"""Finds the sender for a receiver's name in the outbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from mlspec.errors import Refused, TargetError
from mlspec.targets.notify.base import DeliveryError, NoticeSender

# The variables from which Google's own tools read the project.
_PROJECT = ("PUBSUB_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


def sender_factory(
    secret: Callable[[str], str], clock: Callable[[], str], project: str | None = None, allowed: Sequence[str] = ()
) -> Callable[[str], NoticeSender]:
    """Return a function that returns the sender for a receiver (`webhook:SECRET`, `pubsub:TOPIC`).

    `secret` returns a secret's value by its name. `project` is the topics' project; the environment's, if the target has none.
    `allowed` are networks that are not public, and where a webhook may be.
    """

    def make_sender(receiver: str) -> NoticeSender:
        kind, _, name = receiver.partition(":")
        if kind == "webhook":
            from mlspec.targets.notify.webhook import WebhookSender

            return WebhookSender(secret(name), clock, allowed)
        if kind != "pubsub":
            raise DeliveryError(f"{receiver}: nothing sends to a receiver of this kind")
        from mlspec.targets.gcp.pubsub import PubSubSender

        topic_project = project or next((os.environ[key] for key in _PROJECT if os.environ.get(key)), None)
        if topic_project is None:
            raise DeliveryError(f"Pub/Sub topic {name}: no project is set; set GOOGLE_CLOUD_PROJECT")
        return PubSubSender(topic_project, name)

    return make_sender


def publish_message(topic: str, text: str, forecast: str) -> None:
    """Publish a message on a forecast to a Pub/Sub topic (projects/PROJECT/topics/TOPIC).

    Raises TargetError, or Refused if another attempt would not help.
    """
    from mlspec.targets.gcp.pubsub import publish_text

    try:
        publish_text(topic, text, forecast=forecast)
    except DeliveryError as error:
        kind = Refused if error.permanent else TargetError
        raise kind(
            error.problem, hint="see whether the topic exists, and whether this account may publish to it"
        ) from error
