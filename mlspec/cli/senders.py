"""Finds the sender for a receiver's name in the outbox."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlspec.errors import Refused, TargetError
from mlspec.plan.notices import with_page
from mlspec.spec.project import Project
from mlspec.state.notice import Notice
from mlspec.targets.notify.base import DeliveryError, NoticeSender

Clock = Callable[[], str]
# The variables from which Google's own tools read the project.
_PROJECT = ("PUBSUB_PROJECT_ID", "GOOGLE_CLOUD_PROJECT")


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """What a project says of its notices: networks that are not public, and where receivers may be; where its pages are."""

    private_networks: tuple[str, ...] = ()
    external_url: str | None = None


def notice_settings(project: Project | None) -> NoticeSettings:
    """Return the settings of a project; those of none where there is no project."""
    return NoticeSettings(project.webhooks.private_networks, project.external_url) if project else NoticeSettings()


class _LinkingSender:
    """Sends each notice with the address of its forecast's page."""

    def __init__(self, sender: NoticeSender, external_url: str) -> None:
        self._sender, self._external_url = sender, external_url

    def send_notice(self, notice: Notice) -> str | None:
        return self._sender.send_notice(with_page(notice, self._external_url))


def sender_factory(
    secret: Callable[[str], str],
    clock: Clock,
    project: str | None = None,
    settings: NoticeSettings = NoticeSettings(),
) -> Callable[[str], NoticeSender]:
    """Return a function that returns the sender for a receiver, by its name in the outbox (`plan.delivery.receiver_name`).

    `secret` returns a secret's value by its name. `project` is the topics' project; the environment's, if the target has none.
    """

    def make_sender(receiver: str) -> NoticeSender:
        sender = make_plain_sender(receiver)
        return _LinkingSender(sender, settings.external_url) if settings.external_url else sender

    def make_plain_sender(receiver: str) -> NoticeSender:
        kind, _, name = receiver.partition(":")
        if kind == "pubsub":
            return _pubsub_sender(name, project)
        if kind not in _SENDERS:
            raise DeliveryError(f"{receiver}: nothing sends to a receiver of this kind")
        secret_name, _, rest = name.partition(":")
        return _SENDERS[kind](secret(secret_name), rest, clock, settings.private_networks)

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
