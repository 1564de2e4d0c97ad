"""Finds the sender for a receiver's name in the outbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from mlspec.errors import Refused, TargetError
from mlspec.targets.notify.base import DeliveryError, NoticeSender

Clock = Callable[[], str]
# The variables from which Google's own tools read the project.
_PROJECT = ("PUBSUB_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


def sender_factory(
    secret: Callable[[str], str], clock: Clock, project: str | None = None, allowed: Sequence[str] = ()
) -> Callable[[str], NoticeSender]:
    """Return a function that returns the sender for a receiver, by its name in the outbox (`plan.delivery.receiver_name`).

    `secret` returns a secret's value by its name. `project` is the topics' project; the environment's, if the target has none.
    `allowed` are networks that are not public, and where a receiver may be.
    """

    def make_sender(receiver: str) -> NoticeSender:
        kind, _, name = receiver.partition(":")
        if kind == "pubsub":
            return _pubsub_sender(name, project)
        if kind not in _SENDERS:
            raise DeliveryError(f"{receiver}: nothing sends to a receiver of this kind")
        secret_name, _, rest = name.partition(":")
        return _SENDERS[kind](secret(secret_name), rest, clock, allowed)

    return make_sender


def _pubsub_sender(topic: str, project: str | None) -> NoticeSender:
    from mlspec.targets.gcp.pubsub import PubSubSender

    topic_project = project or next((os.environ[key] for key in _PROJECT if os.environ.get(key)), None)
    if topic_project is None:
        raise DeliveryError(f"Pub/Sub topic {topic}: no project is set; set GOOGLE_CLOUD_PROJECT")
    return PubSubSender(topic_project, topic)


def _webhook_sender(value: str, _rest: str, clock: Clock, allowed: Sequence[str]) -> NoticeSender:
    from mlspec.targets.notify.webhook import WebhookSender

    return WebhookSender(value, clock, allowed)


def _slack_sender(value: str, _rest: str, clock: Clock, allowed: Sequence[str]) -> NoticeSender:
    from mlspec.targets.notify.slack import SlackSender

    return SlackSender(value, clock, allowed)


def _teams_sender(value: str, _rest: str, clock: Clock, allowed: Sequence[str]) -> NoticeSender:
    from mlspec.targets.notify.teams import TeamsSender

    return TeamsSender(value, clock, allowed)


def _pagerduty_sender(value: str, region: str, clock: Clock, allowed: Sequence[str]) -> NoticeSender:
    from mlspec.targets.notify.pagerduty import HOSTS, PagerDutySender

    return PagerDutySender(value, clock, allowed, HOSTS[region or "us"])


def _email_sender(value: str, to: str, clock: Clock, allowed: Sequence[str]) -> NoticeSender:
    from mlspec.targets.notify.email import EmailSender

    return EmailSender(value, to.split(","), clock, allowed)


# One row a kind whose receiver is a secret: what makes its sender, of the secret's value and what else the receiver's name holds.
_SENDERS: dict[str, Callable[[str, str, Clock, Sequence[str]], NoticeSender]] = {
    "webhook": _webhook_sender,
    "slack": _slack_sender,
    "teams": _teams_sender,
    "pagerduty": _pagerduty_sender,
    "email": _email_sender,
}


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
