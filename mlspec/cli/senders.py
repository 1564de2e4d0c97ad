"""From a receiver's name in the outbox to who sends to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from mlspec.targets.notify.base import Sender, Undelivered

# Where Google's own tools look for the project.
_PROJECT = ("PUBSUB_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


def senders(folder: Path, clock: Callable[[], str]) -> Callable[[str], Sender]:
    """Return what gives the sender of a receiver (`webhook:SECRET`, `pubsub:TOPIC`) for a local target in `folder`."""

    def sender(receiver: str) -> Sender:
        kind, _, name = receiver.partition(":")
        if kind == "webhook":
            from mlspec.targets.local.secrets import secret
            from mlspec.targets.notify.webhook import Webhook

            return Webhook(secret(folder, name), clock)
        from mlspec.targets.gcp.pubsub import PubSub

        project = next((os.environ[key] for key in _PROJECT if os.environ.get(key)), None)
        if project is None:
            raise Undelivered(f"Pub/Sub topic {name}: no project is set; set GOOGLE_CLOUD_PROJECT")
        return PubSub(project, name)

    return sender
